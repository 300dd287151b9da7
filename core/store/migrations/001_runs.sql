-- Every run with its samples. The four views at the end are what users may rely on; the tables may change.
CREATE TABLE run (
  id             INTEGER PRIMARY KEY,
  run_id         TEXT NOT NULL UNIQUE,   -- ULID
  started_at     TEXT NOT NULL,          -- ISO 8601, UTC
  seconds        REAL NOT NULL,
  model          TEXT NOT NULL,
  model_hash     TEXT NOT NULL,
  artifact_hash  TEXT NOT NULL,
  tokenizer_hash TEXT NOT NULL,
  recipe         TEXT NOT NULL,
  backend        TEXT NOT NULL,
  suite          TEXT NOT NULL,
  suite_hash     TEXT NOT NULL,
  status         TEXT NOT NULL CHECK (status IN ('done', 'failed', 'cancelled', 'refused')),
  reason         TEXT NOT NULL,
  threads        INTEGER NOT NULL,
  device         TEXT NOT NULL,
  requested      TEXT NOT NULL,
  effective      TEXT NOT NULL,
  app_version    TEXT NOT NULL
);
CREATE INDEX run_started_at ON run (started_at);

-- `position` keeps the order in which the catalogue lists them.
CREATE TABLE metric_info (
  run                  INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  position             INTEGER NOT NULL,
  family               TEXT NOT NULL,
  version              INTEGER NOT NULL,
  label                TEXT NOT NULL,
  unit                 TEXT NOT NULL,
  direction            TEXT NOT NULL CHECK (direction IN ('higher', 'lower', 'none')),
  metric_group         TEXT NOT NULL,
  definition           TEXT NOT NULL,
  relevant_difference  REAL NOT NULL,
  relevant_is_relative INTEGER NOT NULL,
  PRIMARY KEY (run, family)
) WITHOUT ROWID;

-- Derived from samples and series; can be rebuilt. A metric without a value has a reason.
CREATE TABLE metric (
  run      INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  metric   TEXT NOT NULL,
  family   TEXT NOT NULL,
  version  INTEGER NOT NULL,
  value    REAL,
  reason   TEXT NOT NULL,
  n        INTEGER NOT NULL,
  low      REAL,
  high     REAL,
  PRIMARY KEY (run, metric)
) WITHOUT ROWID;

CREATE TABLE sample (
  run        INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  position   INTEGER NOT NULL,
  metric     TEXT NOT NULL,
  item       INTEGER NOT NULL,
  repetition INTEGER NOT NULL,
  value      REAL,                       -- NULL is NaN
  PRIMARY KEY (run, position)
) WITHOUT ROWID;

-- One compressed blob a series: see series_codec.h.
CREATE TABLE series (
  id         INTEGER PRIMARY KEY,
  run        INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  position   INTEGER NOT NULL,
  kind       TEXT NOT NULL,
  metric     TEXT NOT NULL,
  item       INTEGER NOT NULL,
  repetition INTEGER NOT NULL,
  columns    TEXT NOT NULL,              -- JSON array of names
  length     INTEGER NOT NULL,           -- values in each column
  checksum   TEXT NOT NULL,              -- XXH3-128 of the uncompressed bytes
  data       BLOB NOT NULL,
  UNIQUE (run, position)
);

CREATE TABLE warning (
  run      INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  warning  TEXT NOT NULL,
  sentence TEXT NOT NULL,
  remedy   TEXT NOT NULL,
  PRIMARY KEY (run, position)
) WITHOUT ROWID;

CREATE TABLE environment (
  run   INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
  key   TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (run, key)
) WITHOUT ROWID;

CREATE VIEW runs AS
  SELECT run_id, started_at, model, model_hash, recipe, backend, suite, status, reason, threads, device, requested, effective,
         app_version
  FROM run;
CREATE VIEW metrics AS
  SELECT run.run_id AS run_id, metric.metric AS metric, metric.value AS value, coalesce(metric_info.unit, '') AS unit,
         coalesce(metric_info.direction, 'none') AS direction, metric.n AS n, metric.low AS low, metric.high AS high
  FROM metric
  JOIN run ON run.id = metric.run
  LEFT JOIN metric_info ON metric_info.run = metric.run AND metric_info.family = metric.family;
CREATE VIEW samples AS
  SELECT run.run_id AS run_id, sample.metric AS metric, sample.item AS item, sample.repetition AS repetition, sample.value AS value
  FROM sample
  JOIN run ON run.id = sample.run;
CREATE VIEW environments AS
  SELECT run.run_id AS run_id, environment.key AS key, environment.value AS value
  FROM environment
  JOIN run ON run.id = environment.run;
