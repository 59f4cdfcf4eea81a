// Relay on the server at the address in the first argument; its operations are in relay/story.js,
// compiled into the folder of the second argument.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createClient } from "graphql-ws";
import relay from "relay-runtime";
import WebSocket from "ws";

const [url, compiled] = process.argv.slice(2);
const artifact = async (name) =>
  (await import(pathToFileURL(join(compiled, `${name}.graphql.js`)))).default;

const socket = createClient({ url: url.replace("http", "ws"), webSocketImpl: WebSocket });
const network = relay.Network.create(
  async ({ text }, variables) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: {
        accept: "application/graphql-response+json",
        "content-type": "application/json",
      },
      body: JSON.stringify({ query: text, variables }),
    });
    return answer.json();
  },
  ({ text }, variables) =>
    relay.Observable.create((sink) => socket.subscribe({ query: text, variables }, sink)),
);
const environment = new relay.Environment({
  network,
  store: new relay.Store(new relay.RecordSource()),
});
const read = async (name, variables) =>
  relay.fetchQuery(environment, await artifact(name), variables).toPromise();

const told = {};
told.query = await read("storyTaskQuery", {});
const jobs = await artifact("storyJobsQuery");
const first = relay.createOperationDescriptor(jobs, { first: 2 });
environment.retain(first);
const connection = () => environment.lookup(first.fragment).data.process.jobs;
await read("storyJobsQuery", { first: 2 });
for (let page = 0; page < 9 && connection().pageInfo.hasNextPage; page++) {
  await read("storyJobsQuery", { first: 2, after: connection().pageInfo.endCursor });
}
told.jobs = connection().edges.map(({ node }) => node.index);

const mutation = await artifact("storySubmitMutation");
const input = { task: "t", process: "a", index: 1, eventClass: "STARTED" };
told.mutation = await new Promise((resolve, reject) => {
  relay.commitMutation(environment, {
    mutation,
    variables: { input },
    onCompleted: (data, errors) => (errors ? reject(errors) : resolve(data)),
    onError: reject,
  });
});
// `node(id:)` is how Relay fetches an object again.
const job = await read("storyJobQuery", { id: connection().edges[1].node.id });
told.refetched = job.node !== null;

const subscription = await artifact("storyEventsSubscription");
told.subscription = await new Promise((resolve, reject) => {
  const stop = relay.requestSubscription(environment, {
    subscription,
    variables: {},
    onNext: ({ events }) => {
      resolve(events.node.eventClass);
      queueMicrotask(() => stop.dispose());
    },
    onError: reject,
  });
});
await socket.dispose();
console.log(JSON.stringify(told));
process.exit();
