// What every script here is told, and the one weather tool that they offer.

export const { BASE_URL: url, API_KEY: key, MODEL: model } = process.env;
export const quick = "demo: pace=0";
export const weather = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" } },
  required: ["city", "days"],
  additionalProperties: false,
};
export const question = `What is the weather in Oslo? ${quick}`;
export const answer = "Snow, minus 4 degrees";

/** Return the class and status of what a call throws; a call that succeeds tells so. */
export async function thrown(call) {
  try {
    await call();
  } catch (error) {
    return { name: error.constructor.name, status: error.status ?? null, message: error.message };
  }
  return { name: "nothing was thrown" };
}

/** Run parts one after another and print what they return as one JSON object. */
export async function report(parts) {
  const told = {};
  for (const [name, part] of Object.entries(parts)) told[name] = await part();
  process.stdout.write(JSON.stringify(told));
}
