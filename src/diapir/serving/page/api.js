// Requests to the service. An error has what was found, what was expected and how to fix it.

export class ApiError extends Error {
  constructor(status, content) {
    super(content.found || `status ${status}`);
    this.status = status;
    this.content = content;
  }
}

async function answer(response) {
  if (response.ok) return response;
  let content = {};
  try { content = (await response.json()).error ?? {}; } catch { /* no JSON */ }
  throw new ApiError(response.status, content);
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { found: "The service does not answer", fix: "start diapir serve again" });
  }
  return answer(response);
}

// what an answer holds, and its tag
async function tagged(response) { return { content: await response.json(), tag: response.headers.get("etag") }; }
export const getTagged = async (path) => tagged(await ask(path));

// replaces what has this tag; status 412 where it was changed elsewhere. keepalive: sent even while the page is closed, up to 64 kB
export const putTagged = async (path, content, tag, keepalive = false) => tagged(await ask(path, {
  method: "PUT", headers: { "Content-Type": "application/json", ...(tag && { "If-Match": tag }) }, body: JSON.stringify(content), keepalive,
}));

export const getJson = async (path, signal) => (await ask(path, { signal })).json();

export const sendJson = async (method, path, content) => (await ask(path, {
  method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
})).json();

export const send = async (method, path) => (await ask(path, { method })).json();

// address of a file that a job made
export const fileAddress = (job, name) => `/api/jobs/${job}/files/${name.split("/").map(encodeURIComponent).join("/")}`;

// sends a file; told how much of it has gone, from 0 to 1; `signal` stops it
export const sendFile = (path, file, told, signal) => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest(), fail = (status, content) => reject(new ApiError(status, content));
  request.open("POST", path);
  request.responseType = "json";
  request.upload.onprogress = (event) => told(event.loaded / Math.max(1, event.total));
  request.onload = () => (request.status < 300 ? resolve(request.response) : fail(request.status, request.response?.error ?? {}));
  request.onerror = () => fail(0, { found: `${file.name} could not be sent`, fix: "see whether `diapir serve` still runs, and whether the file can be read" });
  request.onabort = () => fail(0, { found: `${file.name} was not sent: cancelled` });
  signal.addEventListener("abort", () => request.abort());
  request.send(file);
});

export async function getTile(path, signal) {
  const response = await ask(path, { signal });
  const rows = Number(response.headers.get("x-rows")), columns = Number(response.headers.get("x-columns"));
  return { rows, columns, values: new Uint8Array(await response.arrayBuffer()) };
}

export const getBytes = async (path) => (await ask(path)).arrayBuffer();
