// The operations of ../relay.mjs, for relay-compiler.
graphql`
  query storyTaskQuery {
    task(name: "t") {
      id
      name
      state
    }
  }
`;

graphql`
  query storyJobsQuery($first: Int!, $after: String) {
    process(task: "t", name: "a") {
      ... on JobArray {
        jobs(first: $first, after: $after) @connection(key: "story_jobs") {
          edges {
            node {
              id
              index
              state
            }
          }
        }
      }
    }
  }
`;

graphql`
  fragment story_job on Job @refetchable(queryName: "storyJobQuery") {
    index
    state
  }
`;

graphql`
  mutation storySubmitMutation($input: SubmitEventInput!) {
    submitEvent(input: $input) {
      event {
        uuid
      }
      process {
        state
      }
      userErrors {
        code
      }
    }
  }
`;

graphql`
  subscription storyEventsSubscription {
    events(task: "t", after: "") {
      cursor
      node {
        eventClass
      }
    }
  }
`;
