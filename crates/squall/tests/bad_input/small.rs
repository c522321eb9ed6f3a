//! A small sound system and scenario, for mistakes to be put into.

/// `squall validate` accepts it; a test sees to that.
pub const SYSTEM: &str = r#"system: small
services:
  db:
    run: sleep 600
  server:
    run: sleep 600
    env: { DB: "${links.db.url}" }
    links: [db]
    ready: { within: 5s }
entry: server
contracts:
  session:
    - { method: POST, path: /login, json: { user: "${user}" }, take: { token: $.token } }
  tasks:
    headers: { authorization: "Bearer ${token}" }
    create: { method: POST, path: /tasks, json: { type: "${type}", payload: "${payload}" }, id: $.id }
    show: { method: GET, path: "/tasks/${id}", state: $.status }
    states: { waiting: [a], running: [b], done: [c] }
    kinds: { work: { type: delay, payload: { ms: "${ms}" } } }
    lease: 2s
    backoff: 2s
    max_failures: 3
"#;

/// The same for a scenario.
pub const SCENARIO: &str = r#"scenario: storm
hypothesis: Nothing breaks.
workload:
  tasks: { count: "${level.tasks}", takes: 1s, deadline: 20s }
  api: { rate: 10/s }
storm:
  - kill: { on: server, every: 5s, times: 2, down: 3s }
  - cut: { from: server, to: db, how: refuse, for: 5s }
checks:
  - none_stuck
  - recovery: { warn: 20s, within: 30s }
  - api_success: { at_least: 95% }
"#;

/// One mistake: what of which file becomes what, and what must be said.
pub struct Slip {
    pub name: &'static str,
    pub file: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub says: &'static [&'static str],
}

const fn system(name: &'static str, from: &'static str, to: &'static str, says: &'static [&'static str]) -> Slip {
    Slip {
        name,
        file: "system.yaml",
        from,
        to,
        says,
    }
}

const fn storm(name: &'static str, from: &'static str, to: &'static str, says: &'static [&'static str]) -> Slip {
    Slip {
        name,
        file: "storm.yaml",
        from,
        to,
        says,
    }
}

/// Every mistake is at a place; the numbers are its line.
pub const SLIPS: &[Slip] = &[
    system("syntax", "links: [db]", "links: [db", &["system.yaml:9", "not YAML"]),
    system(
        "a tab",
        "    run: sleep 600\n  server",
        "\trun: sleep 600\n  server",
        &["system.yaml:4", "tab"],
    ),
    system(
        "a key twice",
        "entry: server",
        "entry: server\nentry: db",
        &["system.yaml:11", "`entry`", "twice"],
    ),
    system(
        "an anchor",
        "entry: server",
        "entry: &here server",
        &["system.yaml:10", "anchor"],
    ),
    system(
        "an unknown key",
        "entry: server",
        "entyr: server",
        &["system.yaml:10", "unknown key `entyr`", "did you mean `entry`?"],
    ),
    system(
        "an unknown key inside",
        "ready: { within: 5s }",
        "ready: { whithin: 5s }",
        &["system.yaml:9", "`whithin`", "did you mean `within`?"],
    ),
    system(
        "a list for a text",
        "entry: server",
        "entry: [server]",
        &["system.yaml:10", "text", "a list"],
    ),
    system(
        "a text for a list",
        "links: [db]",
        "links: db",
        &["system.yaml:8", "a list"],
    ),
    system(
        "a text for a number",
        "max_failures: 3",
        "max_failures: three",
        &["system.yaml:22", "number"],
    ),
    system(
        "a negative number",
        "max_failures: 3",
        "max_failures: -3",
        &["system.yaml:22", "-3"],
    ),
    system(
        "something missing",
        "    lease: 2s\n",
        "",
        &["system.yaml:14", "`lease`"],
    ),
    system(
        "a bad duration",
        "lease: 2s",
        "lease: 2 parsecs",
        &["system.yaml:20", "2 parsecs", "2s"],
    ),
    system(
        "a duration without a unit",
        "lease: 2s",
        "lease: 2",
        &["system.yaml:20", "a duration, not a number", "such as 2s"],
    ),
    system(
        "an unknown method",
        "method: POST, path: /login",
        "method: PSOT, path: /login",
        &["system.yaml:13", "`PSOT`", "`POST`"],
    ),
    system(
        "an unknown preset",
        "run: sleep 600\n  server",
        "preset: postgers\n  server",
        &["system.yaml:4", "`postgers`", "did you mean `postgres`?"],
    ),
    system(
        "a preset and a command",
        "run: sleep 600\n  server",
        "run: sleep 600\n    preset: postgres\n  server",
        &["system.yaml:4", "preset", "remove"],
    ),
    system(
        "a setting squall gives itself",
        "run: sleep 600\n  server",
        "preset: postgres\n    settings: { Port: \"5432\" }\n  server",
        &["system.yaml:5", "squall itself gives `Port`", "remove it"],
    ),
    system(
        "settings of no preset",
        "run: sleep 600\n  server",
        "run: sleep 600\n    settings: { fsync: \"off\" }\n  server",
        &["system.yaml:5", "only a preset takes settings", "`env`"],
    ),
    system(
        "neither",
        "run: sleep 600\n  server",
        "replicas: 1\n  server",
        &["system.yaml:3", "neither", "preset: postgres"],
    ),
    system(
        "an empty command",
        "run: sleep 600\n  server",
        "run: \" \"\n  server",
        &["system.yaml:4", "empty"],
    ),
    system(
        "a link to nowhere",
        "links: [db]",
        "links: [bd]",
        &["system.yaml:8", "no service `bd`", "did you mean `db`?"],
    ),
    system(
        "an entry that is nowhere",
        "entry: server",
        "entry: sever",
        &["system.yaml:10", "no service `sever`", "did you mean `server`?"],
    ),
    system(
        "a circle",
        "    run: sleep 600\n  server",
        "    run: sleep 600\n    links: [server]\n  server",
        &["system.yaml:2", "circle"],
    ),
    system(
        "an unknown level's value",
        "max_failures: 3",
        "max_failures: \"${level.taks}\"",
        &["system.yaml:22", "`level.taks`", "did you mean `level.tasks`?"],
    ),
    system(
        "an unclosed hole",
        "/tasks/${id}",
        "/tasks/${id",
        &["system.yaml:17", "has no `}`"],
    ),
    system(
        "an unknown name of a start",
        "${links.db.url}",
        "${links.db.ulr}",
        &["system.yaml:7", "`links.db.ulr`", "did you mean `links.db.url`?"],
    ),
    system(
        "a link that is not declared",
        "    links: [db]\n",
        "",
        &["system.yaml:7", "`links.db.url`", "add `db` to this service's `links`"],
    ),
    system(
        "a name of a request in a start",
        "${links.db.url}",
        "${token}",
        &["system.yaml:7", "`token`"],
    ),
    system(
        "an unknown name of a request",
        "Bearer ${token}",
        "Bearer ${tokn}",
        &["system.yaml:15", "`tokn`", "did you mean `token`?"],
    ),
    system(
        "a name that is not known yet",
        "{ user: \"${user}\" }",
        "{ user: \"${token}\" }",
        &["system.yaml:13", "`token`", "known names: user, password"],
    ),
    system(
        "a name where none is filled in",
        "entry: server",
        "entry: \"${self.name}\"",
        &["system.yaml:10", "`self.name`", "as it stands"],
    ),
    system(
        "no JSONPath",
        "id: $.id",
        "id: id",
        &["system.yaml:16", "`id` is no JSONPath", "$.id"],
    ),
    system(
        "no JSONPath in a take",
        "take: { token: $.token }",
        "take: { token: \"$.[\" }",
        &["system.yaml:13", "no JSONPath"],
    ),
    system(
        "a path without its slash",
        "path: /login",
        "path: login",
        &["system.yaml:13", "begins with `/`", "write /login"],
    ),
    system(
        "no metric",
        "contracts:\n",
        "contracts:\n  alarms: [ { name: db, path: /m, of: { metric: \"up{job=db}\" }, rings: { below: 1 } } ]\n",
        &["system.yaml:12", "`up{job=db}` is no metric"],
    ),
    system(
        "two alarms of one name",
        "contracts:\n",
        "contracts:\n  alarms:\n    - { name: db, path: /m, of: { metric: up }, rings: { below: 1 } }\n    - { name: db, path: /n, of: { value: $.x }, rings: { above: 1 } }\n",
        &["system.yaml:14", "two alarms `db`"],
    ),
    storm(
        "an alarm where there is none",
        "none_stuck",
        "alarmed: { by: db, of: db, within: 2s }",
        &["storm.yaml:10", "no `alarms` contract", "contracts.alarms"],
    ),
    storm(
        "an unknown kind of work",
        "takes: 1s,",
        "takes: 1s, kind: wrok,",
        &["storm.yaml:4", "`wrok`", "did you mean `work`?"],
    ),
    storm(
        "an unknown check",
        "none_stuck",
        "none_stcuk",
        &["storm.yaml:10", "`none_stcuk`", "did you mean `none_stuck`?"],
    ),
    storm(
        "an unknown fault",
        "- kill:",
        "- kil:",
        &["storm.yaml:7", "`kil`", "did you mean `kill`?"],
    ),
    storm(
        "a clock that is off by nothing",
        "- kill: { on: server, every: 5s, times: 2, down: 3s }",
        "- clock_skew: { on: server, by: -0s, for: 3s }",
        &[
            "storm.yaml:7",
            "`by` should be an offset of a clock",
            "such as +90s or -1h",
        ],
    ),
    storm(
        "an unknown target",
        "on: server",
        "on: servr",
        &["storm.yaml:7", "no service `servr`", "did you mean `server`?"],
    ),
    storm(
        "an unknown beginning of a link",
        "from: server",
        "from: severr",
        &["storm.yaml:8", "no service `severr`", "did you mean `server`?"],
    ),
    storm(
        "an unknown end of a link",
        "to: db",
        "to: server",
        &["storm.yaml:8", "no link to `server`", "links to db"],
    ),
    storm(
        "a setting that is one value",
        "- cut: { from: server, to: db, how: refuse, for: 5s }",
        "- intercept: { from: server, to: db, protocol: postgres, then: delay, for: 5s }",
        &["storm.yaml:8", "`delay` needs settings", "write `delay: 2s`"],
    ),
    storm(
        "an unknown way to cut",
        "how: refuse",
        "how: refus",
        &["storm.yaml:8", "`refus`", "did you mean `refuse`?"],
    ),
    storm("no end", "times: 2, ", "", &["storm.yaml:7", "never ends", "until"]),
    storm(
        "no distance",
        "every: 5s, ",
        "",
        &["storm.yaml:7", "strikes 2 times", "how far apart", "every: DURATION"],
    ),
    storm(
        "until for nothing",
        "every: 5s, times: 2,",
        "until: 5s,",
        &["storm.yaml:7", "nothing comes again", "every: DURATION"],
    ),
    storm(
        "an end before the first strike",
        "every: 5s, times: 2,",
        "at: 9s, every: 5s, until: 5s,",
        &["storm.yaml:7", "over before the first strike, at 9s", "a later one"],
    ),
    storm(
        "a crash loop without a second crash",
        "- kill: { on: server, every: 5s, times: 2, down: 3s }",
        "- crash_loop: { on: server, lives: 9s, for: 3s }",
        &["storm.yaml:7", "outlive the fault", "less than `for`"],
    ),
    storm(
        "a crash loop of one crash",
        "- kill: { on: server, every: 5s, times: 2, down: 3s }",
        "- crash_loop: { on: server, crashes: 1, for: 3s }",
        &["storm.yaml:7", "one death is no loop", "2 or more"],
    ),
    storm(
        "a fault for no time",
        "- kill: { on: server, every: 5s, times: 2, down: 3s }",
        "- freeze: { on: server, for: 0s }",
        &["storm.yaml:7", "no time changes nothing", "such as 5s"],
    ),
    storm(
        "damage outside of its folder",
        "- kill: { on: server, every: 5s, times: 2, down: 3s }",
        "- damage: { on: db, files: ../../etc/*, how: bit_flip, for: 3s }",
        &["storm.yaml:7", "outside the copy's own folder", "a path below it"],
    ),
    storm(
        "a slow disk that takes no longer",
        "- kill: { on: server, every: 5s, times: 2, down: 3s }",
        "- disk_slow: { on: db, latency: 0s, for: 3s }",
        &["storm.yaml:7", "not slow", "such as 50ms"],
    ),
    storm(
        "a slow disk that hangs",
        "- kill: { on: server, every: 5s, times: 2, down: 3s }",
        "- disk_slow: { on: db, latency: 6s, for: 3s }",
        &["storm.yaml:7", "at most 5s longer", "`freeze`"],
    ),
    storm(
        "a slow disk of nobody's",
        "- kill: { on: server, every: 5s, times: 2, down: 3s }",
        "- disk_slow: { on: server, latency: 50ms, for: 3s }",
        &["storm.yaml:7", "no disk of squall's that could be slow", "megabytes: 8"],
    ),
    storm(
        "after nothing",
        "every: 5s, times: 2,",
        "after: 5s,",
        &["storm.yaml:7", "before the first", "use `at`"],
    ),
    storm(
        "down for good",
        ", down: 3s",
        "",
        &["storm.yaml:7", "stay down", "restart"],
    ),
    storm(
        "a range the wrong way round",
        "every: 5s,",
        "every: 5s-2s,",
        &["storm.yaml:7", "5s-2s"],
    ),
    storm("a bad share", "95%", "195%", &["storm.yaml:12", "195%"]),
    storm("a bad rate", "10/s", "10/fortnight", &["storm.yaml:5", "10/fortnight"]),
    storm(
        "a demand without its bound",
        "recovery: { warn: 20s, within: 30s }",
        "recovery",
        &["storm.yaml:11", "`recovery` needs settings"],
    ),
    storm(
        "an unknown level's value in a scenario",
        "${level.tasks}",
        "${level.task}",
        &["storm.yaml:4", "`level.task`", "did you mean `level.tasks`?"],
    ),
    storm(
        "a name of a request in a scenario",
        "${level.tasks}",
        "${tasks}",
        &["storm.yaml:4", "`tasks`"],
    ),
    storm(
        "a calculation of different things",
        "${level.tasks}",
        "${level.tasks + 2s}",
        &["storm.yaml:4"],
    ),
    storm(
        "more tasks than any machine holds",
        "\"${level.tasks}\"",
        "4000000000",
        &["storm.yaml:4", "4000000000", "at most"],
    ),
    storm(
        "more strikes than any storm has",
        "times: 2,",
        "times: 4000000000,",
        &["storm.yaml:7", "strikes", "at most"],
    ),
    storm(
        "two faults in one line",
        "- kill: {",
        "- freeze: { on: server, for: 1s }\n    kill: {",
        &["storm.yaml:8", "`freeze`", "`kill`"],
    ),
    system(
        "a lock that is never held",
        "contracts:\n",
        "contracts:\n  locks:\n    lease: 0s\n    acquire: { method: POST, path: \"/l/${name}\" }\n    release: { method: DELETE, path: \"/l/${name}\" }\n    \
         append: { method: POST, path: \"/a/${name}/${mark}\" }\n    ledger: { method: GET, path: \"/a/${name}\", shows: $.marks }\n",
        &["system.yaml:13", "lost at once", "such as 1s"],
    ),
    system(
        "a token nobody gave",
        "contracts:\n",
        "contracts:\n  locks:\n    lease: 1s\n    acquire: { method: POST, path: \"/l/${name}\" }\n    release: { method: DELETE, path: \
         \"/l/${name}/${fence}\" }\n    append: { method: POST, path: \"/a/${name}/${mark}\" }\n    ledger: { method: GET, path: \"/a/${name}\", shows: $.marks }\n",
        &["system.yaml:15", "`fence`", "known names"],
    ),
    system(
        "a counter that shows nothing",
        "contracts:\n",
        "contracts:\n  counters:\n    add: { method: POST, path: \"/c/${name}\" }\n    read: { method: GET, path: \"/c/${name}\" }\n",
        &["system.yaml:14", "nothing says where `read` shows", "such as $.value"],
    ),
    system(
        "an operation that is refused by a success",
        "contracts:\n",
        "contracts:\n  counters:\n    add: { method: POST, path: \"c/${name}\", refuses: [409, 204] }\n    read: { method: GET, path: \"/c/${name}\", shows: value }\n",
        &[
            "system.yaml:13",
            "204 refuses nothing",
            "for example 409",
            "a path begins with `/`",
            "system.yaml:14",
            "no JSONPath",
        ],
    ),
    system(
        "appends nobody can tell apart",
        "contracts:\n",
        "contracts:\n  locks:\n    lease: 1s\n    acquire: { method: POST, path: /l }\n    release: { method: DELETE, path: \"/l/${name}\" }\n    \
         append: { method: POST, path: \"/a/${name}\" }\n    ledger: { method: GET, path: \"/a/${name}\", shows: $.marks }\n",
        &[
            "system.yaml:14",
            "does not say which",
            "`${name}`",
            "system.yaml:16",
            "does not say what is appended",
            "`${mark}`",
        ],
    ),
    system(
        "a verb there is not",
        "contracts:\n",
        "contracts:\n  counters:\n    ad: { method: POST, path: /c }\n    read: { method: GET, path: /c, shows: $.v }\n",
        &["system.yaml:13", "unknown key `ad`", "did you mean `add`?", "`add`"],
    ),
    storm(
        "counters without a contract",
        "  api: { rate: 10/s }\n",
        "  counters: { count: 1, clients: 2, pause: 20ms }\n",
        &["storm.yaml:5", "no `counters` contract", "add `contracts.counters`"],
    ),
    storm(
        "no lock at all",
        "  api: { rate: 10/s }\n",
        "  locks: { count: 0, clients: 2, pause: 20ms, hold: 1s }\n",
        &["storm.yaml:5"],
    ),
    storm(
        "counted without counters",
        "- none_stuck\n",
        "- counted\n",
        &["storm.yaml:10", "judges counters", "add `workload.counters`"],
    ),
    storm(
        "fenced without locks",
        "- none_stuck\n",
        "- fenced\n  - mutual_exclusion\n",
        &["storm.yaml:10", "storm.yaml:11", "judges locks", "add `workload.locks`"],
    ),
    storm(
        "a fault aimed at a lock nobody holds",
        "kill: { on: server,",
        "kill: { on: server, when: lock_held,",
        &["storm.yaml:7", "this workload holds none", "add `workload.locks`"],
    ),
    storm(
        "no checks",
        "checks:\n  - none_stuck\n  - recovery: { warn: 20s, within: 30s }\n  - api_success: { at_least: 95% }\n",
        "",
        &["storm.yaml", "`checks`"],
    ),
    storm(
        "no task",
        "count: \"${level.tasks}\"",
        "count: 0",
        &["storm.yaml:4", "no task at all", "ask for 1 or more"],
    ),
    storm(
        "a warning after the finding",
        "warn: 20s",
        "warn: 40s",
        &["storm.yaml:11", "warn later than it fails", "shorter than `within`"],
    ),
    storm(
        "a check twice",
        "- none_stuck\n",
        "- none_stuck\n  - api_success: { at_least: 90% }\n",
        &["storm.yaml:13", "asked for twice", "leave one of them out"],
    ),
    storm(
        "throughput without a flood",
        "- none_stuck\n",
        "- throughput: { at_least: 95% }\n",
        &["storm.yaml:10", "judges a flood", "add `workload.flood`"],
    ),
    storm(
        "create_latency without a flood",
        "- none_stuck\n",
        "- create_latency: { p99: 1s }\n",
        &["storm.yaml:10", "judges a flood", "add `workload.flood`"],
    ),
    storm(
        "amplification without a cut that counts",
        "- none_stuck\n",
        "- amplification: { at_most: 3 }\n",
        &["storm.yaml:10", "this storm cuts none", "how: reset"],
    ),
    storm(
        "ack_gap without writes",
        "- none_stuck\n",
        "- ack_gap: { within: 3s }\n",
        &["storm.yaml:10", "writes that go on", "add `workload.writes`"],
    ),
    storm(
        "breaker without a contract",
        "- none_stuck\n",
        "- breaker: { kind: work, within: 3s }\n",
        &["storm.yaml:10", "no `breakers` contract", "add `contracts.breakers`"],
    ),
    storm(
        "a promise that leaves nothing",
        "- none_stuck\n",
        "- error_budget: { slo: 100%, at_most: 1% }\n",
        &["storm.yaml:10", "leaves no budget", "99.9%"],
    ),
    storm(
        "a budget of no time",
        "- none_stuck\n",
        "- error_budget: { slo: 99%, window: 0s, at_most: 1% }\n",
        &["storm.yaml:10", "no time has no budget", "720h"],
    ),
    storm(
        "a gap of no time",
        "- none_stuck\n",
        "- ack_gap: { within: 0s }\n",
        &["storm.yaml:10", "always some time between two answers", "such as 1s"],
    ),
    storm(
        "a command without time",
        "- none_stuck\n",
        "- script: { run: ./mine.sh, within: 0s }\n",
        &["storm.yaml:10", "no time at all", "30s"],
    ),
    storm(
        "a share of nothing",
        "- cut: { from: server, to: db, how: refuse, for: 5s }\n",
        "- corrupt: { from: server, to: db, bytes: 0%, for: 5s }\n",
        &["storm.yaml:8", "changes nothing", "more than 0%"],
    ),
    storm(
        "an empty command",
        "- none_stuck\n",
        "- script: { run: \"\" }\n",
        &["storm.yaml:10", "the command is empty", "./mine.sh --fast"],
    ),
    storm(
        "a program that is not there",
        "- none_stuck\n",
        "- script: ./nonesuch.sh\n",
        &["storm.yaml:10", "`./nonesuch.sh` can't be run", "is the path right?"],
    ),
    storm(
        "a command with keys it does not have",
        "- none_stuck\n",
        "- script: { run: ./mine.sh, after: 3s }\n",
        &["storm.yaml:10", "`after`"],
    ),
    storm(
        "a stop for a service that is not there",
        "storm:\n",
        "stop_when: [ { down: { on: servr, for: 3s } } ]\nstorm:\n",
        &["storm.yaml:6", "no service `servr`", "did you mean `server`?"],
    ),
    storm(
        "a stop that need not last",
        "storm:\n",
        "stop_when: [ { down: { on: server, for: 0s } } ]\nstorm:\n",
        &["storm.yaml:6", "by chance", "for: 3s"],
    ),
    storm(
        "a stop that looks at no traffic",
        "  api: { rate: 10/s }\n",
        "stop_when: [ { success: { below: 50%, for: 3s } } ]\n",
        &["storm.yaml:5", "`success`", "`workload.api`"],
    ),
    system(
        "protects what is not there",
        "entry: server",
        "entry: server\nprotect: [servr]",
        &["system.yaml:11", "no service or link `servr`", "did you mean `server`?"],
    ),
    system(
        "a fault on a protected service",
        "entry: server",
        "entry: server\nprotect: [server]",
        &[
            "storm.yaml:7",
            "storm.yaml:8",
            "`server` is protected: no fault may touch it",
            "protect: [server]",
        ],
    ),
    system(
        "a fault on a link to a protected service",
        "entry: server",
        "entry: server\nprotect: [db]",
        &["storm.yaml:8", "`db` is protected"],
    ),
    system(
        "a fault on a protected link",
        "entry: server",
        "entry: server\nprotect: [server->db]",
        &["storm.yaml:8", "`server->db` is protected"],
    ),
    system(
        "a budget of nothing",
        "entry: server",
        "entry: server\nbudget: { copies: 0% }",
        &["system.yaml:11", "no copies at all", "`protect`"],
    ),
    system(
        "more copies than the budget allows",
        "entry: server",
        "entry: server\nbudget: { copies: 50% }",
        &["storm.yaml:7", "1 of 1 copies of server", "copies: 50%"],
    ),
    system(
        "longer than the budget allows",
        "entry: server",
        "entry: server\nbudget: { held: 8s }",
        &["storm.yaml:8", "would hold for 11", "held: 8s"],
    ),
    storm(
        "a fault that would never find its place free",
        "  - cut: { from: server, to: db, how: refuse, for: 5s }\n",
        "  - cut: { from: server, to: db, how: refuse, at: 1s, for: 20s }\n  - delay: { from: server, to: db, latency: 1ms, at: 2s, \
         for: 5s }\n",
        &[
            "storm.yaml:9",
            "would find `cut` in force",
            "carries nothing",
            "`after`",
        ],
    ),
    storm(
        "a partition nothing carries",
        "cut: { from: server, to: db, how: refuse, for: 5s }",
        "partition: { isolate: [server], among: [server], for: 5s }",
        &["storm.yaml:8", "no link crosses", "server-1->db-1"],
    ),
    storm(
        "a partition of what is not there",
        "cut: { from: server, to: db, how: refuse, for: 5s }",
        "partition: { isolate: [server-2], for: 5s }",
        &["storm.yaml:8", "no service or copy `server-2`"],
    ),
];
