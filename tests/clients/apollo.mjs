// Apollo Client on the server at the address in the first argument, with the cache of the second.
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import { ApolloClient, ApolloLink, gql, HttpLink } from "@apollo/client";
import { createPersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, cacheFile] = process.argv.slice(2);
const { cache } = await import(pathToFileURL(cacheFile));
const complaints = [];
console.warn = console.error = (...words) => complaints.push(words.map(String).join(" "));

const requests = [];
const http = new HttpLink({
  uri: url,
  fetch: (address, options) => {
    const { query, extensions } = JSON.parse(options.body);
    requests.push({ document: query !== undefined, hash: "persistedQuery" in (extensions ?? {}) });
    return fetch(address, options);
  },
});
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const socket = createClient({ url: url.replace("http", "ws"), webSocketImpl: WebSocket });
const client = new ApolloClient({
  cache,
  link: ApolloLink.split(
    ({ operationType }) => operationType === "subscription",
    new GraphQLWsLink(socket),
    createPersistedQueryLink({ sha256 }).concat(http),
  ),
});

const TASK = gql`query Task { task(name: "t") { id name state progress { ratio } } }`;
const COUNTS = gql`query Counts { task(name: "t") { id progress { target } counts { total } } }`;
const JOBS = gql`query Jobs($after: String) {
  process(task: "t", name: "a") { id name
    ... on JobArray { jobs(first: 2, after: $after) {
      edges { cursor node { id index state } } pageInfo { hasNextPage endCursor } } } } }`;
const TASKS = gql`query Tasks($after: String) {
  tasks(first: 1, after: $after) {
    edges { node { id name } } pageInfo { hasNextPage endCursor } } }`;
const SUBMIT = gql`mutation Submit($input: SubmitEventInput!) { submitEvent(input: $input) {
  event { id uuid } process { id state } userErrors { code } } }`;
const EVENTS = gql`subscription Events { events(task: "t", after: "") {
  cursor node { id eventClass } } }`;

const told = {};
told.query = (await client.query({ query: TASK })).data;
told.requests = [...requests];
await client.query({ query: COUNTS });
// Two queries select different fields of the same progress, and the cache has both.
told.merged = client.readQuery({ query: TASK })?.task.progress.ratio;

async function pages(query, list) {
  const watched = client.watchQuery({ query });
  const subscription = watched.subscribe({ next: () => {} });
  await client.query({ query });
  const cached = () => list(client.readQuery({ query }));
  while (cached().pageInfo.hasNextPage) {
    const before = cached().edges.length;
    await watched.fetchMore({ variables: { after: cached().pageInfo.endCursor } });
    if (cached().edges.length <= before) break;
  }
  subscription.unsubscribe();
  return cached().edges.map(({ node }) => node);
}
told.jobs = (await pages(JOBS, (data) => data.process.jobs)).map(({ index }) => index);
told.tasks = (await pages(TASKS, (data) => data.tasks)).map(({ name }) => name);

const input = { task: "t", process: "a", index: 1, eventClass: "STARTED" };
told.mutation = (await client.mutate({ mutation: SUBMIT, variables: { input } })).data;
// The process of the payload has replaced the one in the cache.
const { id, __typename } = told.mutation.submitEvent.process;
told.cached = cache.readFragment({
  id: cache.identify({ id, __typename }),
  fragment: gql`fragment State on Process { state }`,
}).state;

told.subscription = await new Promise((resolve, reject) => {
  const subscription = client.subscribe({ query: EVENTS }).subscribe({
    next: ({ data, error }) => {
      if (error) return reject(error);
      resolve(data.events.node.eventClass);
      subscription.unsubscribe();
    },
    error: reject,
  });
});
told.complaints = complaints;
await socket.dispose();
console.log(JSON.stringify(told));
process.exit();
