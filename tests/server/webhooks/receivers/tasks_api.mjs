// A receiver of the Tasks API's webhooks as its documents show one: the parsed body is written again and hashed.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.argv[2];

function genuine(body, signature) {
  const expected = "sha256=" + createHmac("sha256", secret).update(JSON.stringify(body)).digest("hex");
  return timingSafeEqual(Buffer.from(signature), Buffer.from(expected)); // throws on another length
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const text = Buffer.concat(chunks).toString("utf8");
    const seen = { same: false, genuine: false, shown: null };
    try {
      const body = JSON.parse(text);
      seen.same = JSON.stringify(body) === text;
      seen.genuine = genuine(body, request.headers["x-browserman-signature"]);
      const { event, data } = body;
      if (event === "task.completed") seen.shown = data.result;
      else if (event === "task.failed") seen.shown = data.error;
    } catch (error) {
      seen.error = String(error);
    }
    console.log(JSON.stringify(seen));
    response.writeHead(seen.genuine ? 200 : 401).end(seen.genuine ? "OK" : "Invalid signature");
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
