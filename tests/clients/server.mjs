// Reads flags with OpenFeature's server SDK: a question on standard input, the answers as JSON on standard output.
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature } from "@openfeature/server-sdk";
import { readFileSync } from "node:fs";

const { baseUrl, headers, reads } = JSON.parse(readFileSync(0, "utf8"));
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers: Object.entries(headers ?? {}) }));
const client = OpenFeature.getClient();
const ask = {
  boolean: client.getBooleanDetails,
  string: client.getStringDetails,
  number: client.getNumberDetails,
  object: client.getObjectDetails,
};
const answers = [];
for (const { type, key, otherwise, context } of reads) {
  answers.push(await ask[type].call(client, key, otherwise, context ?? {}));
}
console.log(JSON.stringify(answers));
await OpenFeature.close();
