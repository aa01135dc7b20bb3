// The task that every contender on Node performs: POST the payload to the endpoint.
"use strict";

const { Agent, request, setGlobalDispatcher } = require("undici");

const PAYLOAD = JSON.parse(process.env.PAYLOAD);
const DATABASE_URL = process.env.DATABASE_URL;
const [, , verb, count] = process.argv;

setGlobalDispatcher(new Agent({ connections: 256 }));

async function post(payload) {
  const answer = await request(process.env.ENDPOINT_URL, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(payload),
  });
  await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`the endpoint answered ${answer.statusCode}`);
}

async function perform(verbs) {
  try {
    await verbs[verb](Number(count));
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
  process.exit(0);
}

module.exports = { DATABASE_URL, PAYLOAD, perform, post };
