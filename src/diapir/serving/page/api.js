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
    throw new ApiError(0, { found: "The service does not answer", fix: "start `diapir serve` again" });
  }
  return answer(response);
}

export const getJson = async (path, signal) => (await ask(path, { signal })).json();

export const sendJson = async (method, path, content) => (await ask(path, {
  method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
})).json();

export const send = async (method, path, body) => (await ask(path, { method, body })).json();

export async function getTile(path, signal) {
  const response = await ask(path, { signal });
  const rows = Number(response.headers.get("x-rows")), columns = Number(response.headers.get("x-columns"));
  return { rows, columns, values: new Uint8Array(await response.arrayBuffer()) };
}

export const getBytes = async (path) => (await ask(path)).arrayBuffer();
