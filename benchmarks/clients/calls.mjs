// What the files of Node's clients share: `calls.py` for JavaScript.
import { writeFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

export const URL_ = process.env.SENSORIUM_CLIENTS_URL;
export const KEY = process.env.SENSORIUM_CLIENTS_KEY;
export const MODEL = process.env.SENSORIUM_CLIENTS_MODEL;
export const HEART = process.env.SENSORIUM_CLIENTS_PICTURE;

export const NAMING = "What is this?";
export const NAME = "red heart";
export const HEARING = "What is said?";
export const GREETING = "Hello!";
export const DRAWING = "Draw a red heart.";
export const WORDS = ["heart", "star", "apple", "house", "cat", "fish", "tree", "sun"];
export const SAID = "Good morning.";
export const LONG = "heart ".repeat(50_000);
const CALL_MS = 25_000;

export const SCHEMA = {
  type: "object",
  properties: {
    name: { type: "string" },
    colour: { type: "string", enum: ["red", "green", "blue"] },
    count: { type: "integer" },
  },
  required: ["name", "colour", "count"],
  additionalProperties: false,
};
export const WEATHER = {
  name: "weather",
  description: "The weather in a place.",
  parameters: {
    type: "object",
    properties: { place: { type: "string" }, unit: { type: "string", enum: ["celsius", "kelvin"] } },
    required: ["place", "unit"],
    additionalProperties: false,
  },
};
export const CLOCK = { name: "clock", description: "The time.", parameters: { type: "object", properties: {} } };

/** The client has no way to do this, or a defect of its own; the message says which. */
export class ClientCannot extends Error {}

export function check(right, said) {
  if (!right) throw new Error(`unexpected: ${JSON.stringify(said)?.slice(0, 300)}`);
}

export function isText(text) {
  check(typeof text === "string" && text.trim() !== "", text);
  return text;
}

export function isSchema(given) {
  const found = typeof given === "string" ? JSON.parse(given) : given;
  check(Object.keys(found).sort().join() === "colour,count,name", found);
  check(typeof found.name === "string" && Number.isInteger(found.count), found);
  check(["red", "green", "blue"].includes(found.colour), found);
  return JSON.stringify(found);
}

export function isWeather(name, given) {
  const found = typeof given === "string" ? JSON.parse(given) : given;
  check(name === "weather" && Object.keys(found).sort().join() === "place,unit", [name, found]);
  check(typeof found.place === "string" && ["celsius", "kelvin"].includes(found.unit), found);
  return `${name}(${JSON.stringify(found)})`;
}

/** Assert that this (bytes, base64 or a data URI) is a PNG that is not of one colour; tells its size. */
export function isDrawing(data) {
  const raw = typeof data === "string" ? Buffer.from(data.slice(data.indexOf(",") + 1), "base64") : Buffer.from(data);
  check(raw.subarray(1, 4).toString() === "PNG", raw.subarray(0, 20).toString());
  const [width, height] = [raw.readUInt32BE(16), raw.readUInt32BE(20)];
  const packed = [];
  for (let place = 8; place < raw.length; place += raw.readUInt32BE(place) + 12) {
    const length = raw.readUInt32BE(place);
    if (raw.subarray(place + 4, place + 8).toString() === "IDAT") packed.push(raw.subarray(place + 8, place + 8 + length));
  }
  check(new Set(inflateSync(Buffer.concat(packed))).size > 16 && Math.min(width, height) >= 32, [width, height]);
  return `PNG of ${width} x ${height}`;
}

/** Assert that these are samples of 16 bits that are not silent, a WAV file or, with their rate, bare; tells how long. */
export function isSound(given, rateHz = null) {
  let data = Buffer.from(given);
  if (rateHz === null) {
    check(data.subarray(0, 4).toString() === "RIFF" && data.subarray(36, 40).toString() === "data", data.subarray(0, 44));
    check(data.readUInt16LE(22) === 1, data.readUInt16LE(22));
    rateHz = data.readUInt32LE(24);
    data = data.subarray(44);
  }
  let [least, most] = [0, 0];
  for (let at = 0; at + 1 < data.length; at += 2) {
    least = Math.min(least, data.readInt16LE(at));
    most = Math.max(most, data.readInt16LE(at));
  }
  const seconds = data.length / 2 / rateHz;
  check(most - least > 1000 && seconds > 0.3 && seconds < 30, [least, most, seconds]);
  return `${seconds.toFixed(2)} s at ${rateHz} Hz`;
}

/** Assert that a transcript is `SAID`, whatever its capitals and points. */
export function isSaid(text) {
  check(String(text).toLowerCase().replace(/[^a-z ]/g, "").trim() === "good morning", text);
  return text.trim();
}

export const heartBytes = () => Buffer.from(HEART.slice(HEART.indexOf(",") + 1), "base64");

/** Status, code and sentence of the first error of a chain that has a status of HTTP. */
function refusal(error) {
  for (let at = error; at; at = at.lastError ?? at.cause) {
    const status = at.status ?? at.statusCode;
    if (Number.isInteger(status) && status >= 400) {
      const told = at.data?.error ?? at.error ?? {};
      return { status, code: at.code ?? told.code ?? null, says: told.message ?? at.message };
    }
  }
  return null;
}

async function run(wanted) {
  let alarm;
  const late = new Promise((_, reject) => {
    alarm = setTimeout(() => reject(new Error(`no end after ${CALL_MS / 1000} s`)), CALL_MS);
  });
  try {
    const said = await Promise.race([wanted(), late]);
    return { outcome: "done", says: typeof said === "string" ? said : "" };
  } catch (error) {
    if (error instanceof ClientCannot) return { outcome: "cannot", says: error.message };
    const kind = error?.constructor?.name ?? typeof error;
    const refused = refusal(error);
    if (refused) return { outcome: "refused", error: kind, ...refused };
    return { outcome: "wrong", error: kind, says: String(error?.message ?? error) };
  } finally {
    clearTimeout(alarm);
  }
}

/** Run all calls, or those named in the command after the file to write, and write what came of them as JSON. */
export async function main(calls) {
  const [out, ...names] = process.argv.slice(2);
  process.on("unhandledRejection", () => {}); // promises of streams that a client leaves to itself
  const told = {};
  for (const name of names.length ? names : Object.keys(calls)) {
    if (!(name in calls)) continue;
    const start = performance.now();
    const result = await run(calls[name]);
    const says = result.says.split(/\s+/).join(" ").slice(0, 600);
    told[name] = { ...result, says, seconds: Math.round((performance.now() - start) / 10) / 100 };
  }
  writeFileSync(out, JSON.stringify(told));
  process.exit(0);
}
