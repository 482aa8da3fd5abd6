// A receiver of Cloud v1's webhooks: keys are sorted at every level, and everything beyond ASCII is escaped, as its documents sign.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.argv[2];

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

function canonical(body) {
  const escaped = (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0");
  return JSON.stringify(sorted(body)).replace(/[\u007f-\uffff]/g, escaped);
}

function genuine(body, timestamp, signature) {
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  const expected = createHmac("sha256", secret).update(`${timestamp}.${canonical(body)}`).digest("hex");
  return signature.length === expected.length && timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const timestamp = request.headers["x-browser-use-timestamp"];
    const signature = request.headers["x-browser-use-signature"];
    if (!timestamp || !signature) return response.writeHead(400).end();
    const body = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    const seen = { genuine: genuine(body, timestamp, signature), type: body.type, payload: body.payload };
    console.log(JSON.stringify(seen));
    response.writeHead(seen.genuine ? 200 : 403).end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
