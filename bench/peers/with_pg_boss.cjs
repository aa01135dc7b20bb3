// pg-boss: its direct interface, batches of 500 fetched and completed by two loops, a pool of 20.
"use strict";

const PgBoss = require("pg-boss");
const { DATABASE_URL, PAYLOAD, perform, post } = require("./task.cjs");

const QUEUE = "bench";
const PER_STATEMENT = 1000;
const IDLE_MS = 20;

async function open() {
  const boss = new PgBoss({ connectionString: DATABASE_URL, max: 20 });
  boss.on("error", console.error);
  await boss.start();
  return boss;
}

async function prepare() {
  await (await open()).createQueue(QUEUE);
}

async function fill(count) {
  const boss = await open();
  for (let start = 0; start < count; start += PER_STATEMENT) {
    const size = Math.min(PER_STATEMENT, count - start);
    await boss.insert(Array.from({ length: size }, () => ({ name: QUEUE, data: PAYLOAD })));
  }
}

async function work() {
  const boss = await open();
  const loop = async () => {
    for (;;) {
      const jobs = await boss.fetch(QUEUE, { batchSize: 500 });
      if (!jobs.length) {
        await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
        continue;
      }
      await Promise.all(jobs.map((job) => post(job.data)));
      await boss.complete(QUEUE, jobs.map((job) => job.id));
    }
  };
  await Promise.all([loop(), loop()]);
}

perform({ prepare, fill, work });
