# The whole life of a task, with nothing but curl. Needs LAMIA_URL; prints what it does.
set -euo pipefail
api="$LAMIA_URL/api/v0"

# The status of a request, and its answer in the file "answer".
ask() { curl -sS -o answer -w '%{http_code}' "$@"; }
expect() {
  local status=$1; shift
  local found; found=$(ask "$@")
  if [ "$found" != "$status" ]; then
    echo "$* was answered $found, not $status: $(cat answer)" >&2; exit 1
  fi
}
says() {
  if ! grep -qF -- "$1" answer; then
    echo "the answer does not say $1: $(cat answer)" >&2; exit 1
  fi
}

expect 404 "$api/night"; says '"error"'
for task in night kept; do
  expect 201 -X POST "$api/$task" -d '{
    "_meta": {"host": "'"$(hostname)"'", "time": "'"$(date -u +%s.%N)"'"},
    "tags": ["curl"], "config": "opaque", "depGraph": "QlpoOTFBWSZTWU/lCzk=",
    "processes": [
      {"name": "search", "type": "array", "nJobs": 5, "thresholdProgress": 2},
      {"name": "merge", "type": "solitary"}]}'
  says '"created":true'
done
expect 409 -X POST "$api/night" -d '{"processes": {"a": 1}}'; says '"created":false'
echo "The task is there."

for task in night kept; do
  for index in 0 1 2 3 4; do
    event="$api/$task/search/event?arrayIndex=$index"
    # The one-liner of all job scripts.
    curl -fsS -X POST "$event" -d '{"eventClass":"STARTED"}' >answer
    if grep -q '"enough":true' answer; then
      expect 201 -X POST "$event" -d '{"eventClass":"TERMINATED","payload":"enough"}'
    else
      expect 201 -X POST "$event" -d '{"eventClass":"FINISHED"}'
    fi
  done
  expect 200 "$api/$task/search"; says '"state":"SUCCEEDED"'; says '"progress":100.0'
  expect 201 -X PATCH "$api/$task/merge" -d '[{"eventClass":"STARTED"},{"eventClass":"DONE"}]'
  expect 200 "$api/$task"; says '"state":"SUCCEEDED"'; says '"depGraph":"QlpoOTFBWSZTWU/lCzk="'
done
echo "The task is done."

expect 200 "$api/night/search/event?arrayIndex=4"; says '"payload":"enough"'
expect 200 "$api/night/@all?hasEventsOfClass=TERMINATED"; says '"search"'
if grep -q '"merge"' answer; then echo "merge was never terminated" >&2; exit 1; fi
expect 400 -X POST "$api/night/search/event?arrayIndex=5" -d '{"eventClass":"BEAT"}'; says '0 to 4'
if curl -fsS -X POST "$api/night/merge/event" -d '{"eventClass":"KAPUTT"}' 2>/dev/null; then
  echo "an unknown class was taken" >&2; exit 1
fi
expect 200 -X PUT "$api/night" -d '{"comment": "It went well"}'
expect 200 "$api?tag=curl"; says '"comment":"It went well"'
expect 403 -X DELETE "$api"
expect 200 -X DELETE "$api/night"; says '"deleted":1'
expect 404 "$api/night"
echo "The task has gone."
