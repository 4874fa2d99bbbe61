// A page that reads flags with OpenFeature's web SDK. It does what the test asks for at /next and tells at /told what came of it.
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk";

const events = [];
const client = OpenFeature.getClient();
for (const name of [ProviderEvents.Ready, ProviderEvents.Stale, ProviderEvents.Error, ProviderEvents.ConfigurationChanged]) {
  client.addHandler(name, (details) => events.push({ name, flags: details?.flagsChanged, message: details?.message }));
}

const does = {
  async start({ context, options }) {
    await OpenFeature.setContext(context);
    await OpenFeature.setProviderAndWait(new OFREPWebProvider(options));
  },
  async context({ context }) {
    await OpenFeature.setContext(context);
  },
  async read({ reads }) {
    const ask = {
      boolean: client.getBooleanDetails,
      string: client.getStringDetails,
      number: client.getNumberDetails,
      object: client.getObjectDetails,
    };
    return reads.map(({ type, key, otherwise }) => ask[type].call(client, key, otherwise));
  },
  async event({ name }) {
    while (!events.some((each) => each.name === name)) await new Promise((resolve) => setTimeout(resolve, 5));
    return events.splice(0).filter((each) => each.name === name);
  },
  async forget() {
    events.splice(0);
  },
  async stop() {
    await OpenFeature.close();
  },
};

async function tell(document) {
  await fetch("/told", { method: "POST", body: JSON.stringify(document) });
}

window.addEventListener("error", (event) => tell({ failed: String(event.message) }));
window.addEventListener("unhandledrejection", (event) => tell({ failed: String(event.reason) }));
await tell({ done: "loaded" });
for (;;) {
  const command = await (await fetch("/next", { method: "POST" })).json();
  try {
    await tell({ done: (await does[command.what](command)) ?? null });
  } catch (error) {
    await tell({ failed: String(error) });
  }
}
