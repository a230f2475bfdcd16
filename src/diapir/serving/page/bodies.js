// Salt bodies in 3D: binary PLY meshes, drawn with WebGL; drag turns, the wheel zooms.

import { getBytes } from "./api.js";

const VERTEX = `attribute vec3 place; attribute vec3 normal; uniform mat4 view; varying vec3 n;
void main() { n = mat3(view) * normal; gl_Position = view * vec4(place, 1.0); gl_Position.z = gl_Position.z * 0.2; }`;
const FRAGMENT = `precision mediump float; varying vec3 n; uniform vec3 colour; uniform float flat_;
void main() { float light = 0.35 + 0.65 * abs(dot(normalize(n), normalize(vec3(0.3, 0.5, 0.8)))); gl_FragColor = vec4(colour * mix(light, 1.0, flat_), 1.0); }`;
const COLOURS = [[0.94, 0.54, 0.14], [0.34, 0.71, 0.91], [0.0, 0.62, 0.45], [0.95, 0.9, 0.26], [0.8, 0.47, 0.65], [0.84, 0.37, 0.0]];
const MOST_TRIANGLES = 1500000;

function parse(buffer) {
  const head = new TextDecoder("ascii").decode(buffer.slice(0, 2000)), end = head.indexOf("end_header\n") + 11;
  const vertices = Number(/element vertex (\d+)/.exec(head)?.[1]), faces = Number(/element face (\d+)/.exec(head)?.[1]);
  if (end < 11 || !(vertices > 0)) throw new Error("not a mesh");
  const view = new DataView(buffer, end), places = new Float64Array(vertices * 3), corners = new Uint32Array(faces * 3);
  for (let i = 0; i < vertices * 3; i++) places[i] = view.getFloat64(i * 8, true);
  for (let i = 0, at = vertices * 24; i < faces; i++, at += 13) for (let j = 0; j < 3; j++) corners[i * 3 + j] = view.getInt32(at + 1 + 4 * j, true);
  return { places, corners, comment: /comment (.*)/.exec(head)?.[1] ?? "" };
}

export async function showBodies(canvas, note, addresses) {
  note.textContent = "Loading …";
  const meshes = [];
  let triangles = 0, left = 0;
  for (const address of addresses) {
    if (triangles > MOST_TRIANGLES) { left++; continue; }
    const mesh = parse(await getBytes(address));
    triangles += mesh.corners.length / 3;
    meshes.push(mesh);
  }
  const gl = canvas.getContext("webgl", { antialias: true });
  if (!gl || !gl.getExtension("OES_element_index_uint")) { note.textContent = "This browser has no WebGL; the meshes are among the files."; return () => {}; }
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (const { places } of meshes) for (let i = 0; i < places.length; i++) { const k = i % 3; low[k] = Math.min(low[k], places[i]); high[k] = Math.max(high[k], places[i]); }
  const across = Math.max(high[0] - low[0], high[1] - low[1]) || 1, tall = high[2] - low[2] || 1, stretch = Math.min(1, (0.6 * across) / tall) < 1 || tall < across / 5 ? (0.5 * across) / tall : 1;
  note.textContent = `${meshes.length} ${meshes.length === 1 ? "body" : "bodies"}${left ? `, ${left} more not shown` : ""}. ${meshes[0].comment}${stretch === 1 ? "" : `. Vertical scale ×${stretch.toPrecision(2)}`}`;

  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text); gl.compileShader(shader); gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const scale = [2 / across, 2 / across, (2 * stretch) / across];
  const parts = meshes.map(({ places, corners }) => {
    const points = new Float32Array(places.length), normals = new Float32Array(places.length);
    for (let i = 0; i < places.length; i++) points[i] = (places[i] - (low[i % 3] + high[i % 3]) / 2) * scale[i % 3];
    for (let t = 0; t < corners.length; t += 3) {
      const [a, b, c] = [corners[t] * 3, corners[t + 1] * 3, corners[t + 2] * 3];
      const u = [0, 1, 2].map((k) => points[b + k] - points[a + k]), v = [0, 1, 2].map((k) => points[c + k] - points[a + k]);
      const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      for (const corner of [a, b, c]) for (let k = 0; k < 3; k++) normals[corner + k] += n[k];
    }
    return { points: buffer(gl, gl.ARRAY_BUFFER, points), normals: buffer(gl, gl.ARRAY_BUFFER, normals), corners: buffer(gl, gl.ELEMENT_ARRAY_BUFFER, corners), count: corners.length };
  });
  const half = [0, 1, 2].map((k) => ((high[k] - low[k]) / 2) * scale[k]);
  const edges = [];
  for (let i = 0; i < 8; i++) for (let k = 0; k < 3; k++) if (!(i & (1 << k))) for (const corner of [i, i | (1 << k)]) edges.push(...[0, 1, 2].map((j) => (corner & (1 << j) ? half[j] : -half[j])));
  const box = { points: buffer(gl, gl.ARRAY_BUFFER, new Float32Array(edges)), count: edges.length / 3 };

  let turn = 0.7, tilt = 0.45, zoom = 0.75;
  const draw = () => {
    const ratio = devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * ratio; canvas.height = canvas.clientHeight * ratio;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0); gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT); gl.enable(gl.DEPTH_TEST);
    const [ct, st, cp, sp] = [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)], aspect = canvas.height / canvas.width;
    const rows = [[ct * aspect, -st * aspect, 0], [st * sp, ct * sp, cp], [st * cp, ct * cp, -sp]];
    gl.uniformMatrix4fv(gl.getUniformLocation(program, "view"), false, new Float32Array([0, 1, 2].flatMap((k) => [...rows.map((row, i) => row[k] * (i < 2 ? zoom : 0.5)), 0]).concat([0, 0, 0, 1])));
    const colour = gl.getUniformLocation(program, "colour"), flat = gl.getUniformLocation(program, "flat_");
    gl.uniform1f(flat, 0);
    parts.forEach((part, i) => {
      bind(gl, program, "place", part.points); bind(gl, program, "normal", part.normals);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, part.corners);
      gl.uniform3fv(colour, COLOURS[i % COLOURS.length]);
      gl.drawElements(gl.TRIANGLES, part.count, gl.UNSIGNED_INT, 0);
    });
    gl.uniform1f(flat, 1); gl.uniform3fv(colour, [0.5, 0.55, 0.6]);
    bind(gl, program, "place", box.points); bind(gl, program, "normal", box.points);
    gl.drawArrays(gl.LINES, 0, box.count);
  };
  let drag = null;
  canvas.onpointerdown = (event) => { drag = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); };
  canvas.onpointermove = (event) => {
    if (!drag) return;
    turn += (event.clientX - drag[0]) * 0.008; tilt = Math.max(-1.5, Math.min(1.5, tilt + (event.clientY - drag[1]) * 0.008));
    drag = [event.clientX, event.clientY];
    requestAnimationFrame(draw);
  };
  canvas.onpointerup = () => { drag = null; };
  canvas.onwheel = (event) => { event.preventDefault(); zoom *= Math.exp(-event.deltaY * 0.001); requestAnimationFrame(draw); };
  draw();
}

function buffer(gl, kind, values) { const made = gl.createBuffer(); gl.bindBuffer(kind, made); gl.bufferData(kind, values, gl.STATIC_DRAW); return made; }
function bind(gl, program, name, held) {
  const place = gl.getAttribLocation(program, name);
  if (place < 0) return;
  gl.bindBuffer(gl.ARRAY_BUFFER, held); gl.enableVertexAttribArray(place); gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
}
