// Salt bodies in 3D: binary PLY meshes, drawn with WebGL; drag or arrow keys turn, the wheel zooms.

import { getBytes } from "../api.js";

const VERTEX = `attribute vec3 place; attribute vec3 normal; uniform mat4 view; varying vec3 n;
void main() { n = mat3(view) * normal; gl_Position = view * vec4(place, 1.0); gl_Position.z = gl_Position.z * 0.2; }`;
const FRAGMENT = `precision mediump float; varying vec3 n; uniform vec3 colour; uniform float flat_;
void main() { float light = 0.35 + 0.65 * abs(dot(normalize(n), normalize(vec3(0.3, 0.5, 0.8)))); gl_FragColor = vec4(colour * mix(light, 1.0, flat_), 1.0); }`;
const COLOURS = [[0.94, 0.54, 0.14], [0.34, 0.71, 0.91], [0.0, 0.62, 0.45], [0.95, 0.9, 0.26], [0.8, 0.47, 0.65], [0.84, 0.37, 0.0]];
const MOST_TRIANGLES = 1500000;

let turn = 0, release = () => {};

// draws the bodies of some addresses on a canvas, and says on `note` what is shown
export async function showBodies(canvas, note, addresses) {
  const now = ++turn;
  release();
  const { meshes, left } = await load(addresses);
  if (now !== turn) return; // others were asked for meanwhile
  const gl = canvas.getContext("webgl", { antialias: true });
  if (!gl || !gl.getExtension("OES_element_index_uint")) { note.textContent = "This browser has no WebGL; the meshes are among the files."; return; }
  const frame = frameOf(meshes), scene = { gl, program: programOf(gl), parts: meshes.map((mesh) => partOf(gl, mesh, frame)), box: boxOf(gl, frame), eye: { turn: 0.7, tilt: 0.45, zoom: 0.75 } };
  note.textContent = `${meshes.length} ${meshes.length === 1 ? "body" : "bodies"}${left ? `, ${left} more not shown` : ""}. ${meshes[0].comment}${frame.stretch === 1 ? "" : `. Vertical scale ×${frame.stretch.toPrecision(2)}`}`;
  release = () => {
    gl.deleteProgram(scene.program);
    for (const part of [...scene.parts, scene.box]) for (const one of [part.points, part.normals, part.corners]) if (one) gl.deleteBuffer(one);
    release = () => {};
  };
  control(canvas, scene);
  draw(canvas, scene);
}

async function load(addresses) {
  const meshes = [];
  let triangles = 0, left = 0;
  for (const address of addresses) {
    if (triangles > MOST_TRIANGLES) { left++; continue; }
    const mesh = parse(await getBytes(address));
    triangles += mesh.corners.length / 3;
    meshes.push(mesh);
  }
  return { meshes, left };
}

function parse(buffer) {
  const head = new TextDecoder("ascii").decode(buffer.slice(0, 2000)), end = head.indexOf("end_header\n") + 11;
  const vertices = Number(/element vertex (\d+)/.exec(head)?.[1]), faces = Number(/element face (\d+)/.exec(head)?.[1]);
  if (end < 11 || !(vertices > 0)) throw new Error("This file is not a mesh");
  const view = new DataView(buffer, end), places = new Float64Array(vertices * 3), corners = new Uint32Array(faces * 3);
  for (let i = 0; i < vertices * 3; i++) places[i] = view.getFloat64(i * 8, true);
  for (let i = 0, at = vertices * 24; i < faces; i++, at += 13) for (let j = 0; j < 3; j++) corners[i * 3 + j] = view.getInt32(at + 1 + 4 * j, true);
  return { places, corners, comment: /comment (.*)/.exec(head)?.[1] ?? "" };
}

// middle of all meshes, scale of each axis, and how much the vertical one is stretched
function frameOf(meshes) {
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (const { places } of meshes) for (let i = 0; i < places.length; i++) { const k = i % 3; low[k] = Math.min(low[k], places[i]); high[k] = Math.max(high[k], places[i]); }
  const across = Math.max(high[0] - low[0], high[1] - low[1]) || 1, tall = high[2] - low[2] || 1;
  const stretch = tall > 0.6 * across || tall < across / 5 ? (0.5 * across) / tall : 1;
  const scale = [2 / across, 2 / across, (2 * stretch) / across];
  return { stretch, scale, middle: low.map((v, k) => (v + high[k]) / 2), half: low.map((v, k) => ((high[k] - v) / 2) * scale[k]) };
}

function programOf(gl) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text); gl.compileShader(shader); gl.attachShader(program, shader); gl.deleteShader(shader);
  }
  gl.linkProgram(program);
  return program;
}

function partOf(gl, { places, corners }, { scale, middle }) {
  const points = Float32Array.from(places, (v, i) => (v - middle[i % 3]) * scale[i % 3]), normals = new Float32Array(points.length);
  for (let t = 0; t < corners.length; t += 3) {
    const a = corners[t] * 3, b = corners[t + 1] * 3, c = corners[t + 2] * 3;
    const ux = points[b] - points[a], uy = points[b + 1] - points[a + 1], uz = points[b + 2] - points[a + 2];
    const vx = points[c] - points[a], vy = points[c + 1] - points[a + 1], vz = points[c + 2] - points[a + 2];
    const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
    for (const corner of [a, b, c]) { normals[corner] += x; normals[corner + 1] += y; normals[corner + 2] += z; }
  }
  return { points: buffer(gl, gl.ARRAY_BUFFER, points), normals: buffer(gl, gl.ARRAY_BUFFER, normals), corners: buffer(gl, gl.ELEMENT_ARRAY_BUFFER, corners), count: corners.length };
}

// the edges of the box around all bodies
function boxOf(gl, { half }) {
  const edges = [], at = (corner) => half.map((v, k) => (corner & (1 << k) ? v : -v));
  for (let i = 0; i < 8; i++) for (let k = 0; k < 3; k++) if (!(i & (1 << k))) edges.push(...at(i), ...at(i | (1 << k)));
  return { points: buffer(gl, gl.ARRAY_BUFFER, new Float32Array(edges)), count: edges.length / 3 };
}

function draw(canvas, { gl, program, parts, box, eye }) {
  const ratio = devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio; canvas.height = canvas.clientHeight * ratio;
  gl.viewport(0, 0, canvas.width, canvas.height);
  gl.clearColor(0, 0, 0, 0); gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT); gl.enable(gl.DEPTH_TEST);
  gl.useProgram(program);
  const [ct, st, cp, sp] = [Math.cos(eye.turn), Math.sin(eye.turn), Math.cos(eye.tilt), Math.sin(eye.tilt)], aspect = canvas.height / canvas.width;
  const rows = [[ct * aspect, -st * aspect, 0], [st * sp, ct * sp, cp], [st * cp, ct * cp, -sp]];
  const matrix = [0, 1, 2].flatMap((k) => [...rows.map((row, i) => row[k] * (i < 2 ? eye.zoom : 0.5)), 0]).concat([0, 0, 0, 1]);
  gl.uniformMatrix4fv(gl.getUniformLocation(program, "view"), false, new Float32Array(matrix));
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
}

function control(canvas, scene) {
  const { eye } = scene;
  let queued = false, drag = null;
  const change = (turned, tilted, zoomed = 1) => {
    eye.turn += turned; eye.tilt = Math.max(-1.5, Math.min(1.5, eye.tilt + tilted)); eye.zoom = Math.max(0.1, Math.min(20, eye.zoom * zoomed));
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => { queued = false; draw(canvas, scene); });
  };
  canvas.onpointerdown = (event) => { drag = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); };
  canvas.onpointermove = (event) => {
    if (!drag) return;
    change((event.clientX - drag[0]) * 0.008, (event.clientY - drag[1]) * 0.008);
    drag = [event.clientX, event.clientY];
  };
  canvas.onpointerup = canvas.onpointercancel = () => { drag = null; };
  canvas.onwheel = (event) => { event.preventDefault(); change(0, 0, Math.exp(-event.deltaY * 0.001)); };
  canvas.onkeydown = (event) => {
    const act = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1], "+": [0, 0, 1.2], "-": [0, 0, 1 / 1.2] }[event.key];
    if (act) { event.preventDefault(); change(...act); }
  };
}

function buffer(gl, kind, values) { const made = gl.createBuffer(); gl.bindBuffer(kind, made); gl.bufferData(kind, values, gl.STATIC_DRAW); return made; }
function bind(gl, program, name, held) {
  const place = gl.getAttribLocation(program, name);
  if (place < 0) return;
  gl.bindBuffer(gl.ARRAY_BUFFER, held); gl.enableVertexAttribArray(place); gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
}
