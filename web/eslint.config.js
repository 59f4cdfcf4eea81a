// Checks ../schema with the recommendations of graphql-eslint. ESLint ignores what is not below the
// folder that it runs in, so it runs in the folder above this one.
import graphql from "@graphql-eslint/eslint-plugin";

const { configs, parser } = graphql;
const common = {
  languageOptions: {
    parser,
    parserOptions: {
      graphQLConfig: {
        schema: "schema/schema.graphql",
        documents: "schema/operations/*.graphql",
      },
    },
  },
  plugins: { "@graphql-eslint": graphql },
  linterOptions: { reportUnusedDisableDirectives: "error" },
};

export default [
  {
    files: ["schema/schema.graphql"],
    ...common,
    rules: {
      ...configs["flat/schema-recommended"].rules,
      ...configs["flat/schema-relay"].rules,
      // Only what `node(id:)` finds has an id. The others are values, which belong to an object, and
      // the parts of lists and answers.
      "@graphql-eslint/strict-id-in-types": [
        "error",
        {
          exceptions: {
            suffixes: ["Payload", "Connection", "Edge"],
            types: [
              "AccessToken",
              "DurationStatistics",
              "FailureGroup",
              "HistogramBin",
              "HostCount",
              "HostUsage",
              "JobCounts",
              "JobUsage",
              "MemoryStatistics",
              "PageInfo",
              "ProcessFailures",
              "ProcessUsage",
              "Progress",
              "Server",
              "StateRange",
              "Stragglers",
              "TimelinePoint",
              "UserError",
              "Viewer",
            ],
          },
        },
      ],
      // Every list that may grow is a connection. The others are bounded: tags, points, errors, the
      // results of a mutation, and the nodes of a page.
      "@graphql-eslint/relay-edge-types": [
        "error",
        { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: true, withEdgeSuffix: true },
      ],
      // It has one finding, `Event.eventClass`: a field `class` would be a reserved word in the
      // languages of many clients, and the argument and the enum have the same name.
      "@graphql-eslint/no-typename-prefix": "off",
    },
  },
  {
    files: ["schema/operations/*.graphql"],
    ...common,
    rules: configs["flat/operations-recommended"].rules,
  },
];
