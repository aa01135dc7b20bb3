// graphile-worker: 384 at a time, a local queue of 1,000, completions in batches, a pool of 20.
// It deletes a finished job and keeps no record of it.
"use strict";

const { Logger, makeWorkerUtils, run } = require("graphile-worker");
const { DATABASE_URL, PAYLOAD, perform, post } = require("./task.cjs");

const PER_STATEMENT = 1000;
const logger = new Logger(() => () => {});

async function prepare() {
  await (await makeWorkerUtils({ connectionString: DATABASE_URL, logger })).migrate();
}

async function fill(count) {
  const utils = await makeWorkerUtils({ connectionString: DATABASE_URL, logger });
  for (let start = 0; start < count; start += PER_STATEMENT) {
    const size = Math.min(PER_STATEMENT, count - start);
    await utils.addJobs(
      Array.from({ length: size }, () => ({ identifier: "job", payload: PAYLOAD })),
    );
  }
}

async function work() {
  const runner = await run({
    logger,
    noHandleSignals: true,
    taskList: { job: post },
    preset: {
      worker: {
        connectionString: DATABASE_URL,
        maxPoolSize: 20,
        concurrentJobs: 384,
        pollInterval: 2000,
        localQueue: { size: 1000 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  });
  await runner.promise;
}

perform({ prepare, fill, work });
