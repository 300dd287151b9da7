-- Disturbed samples say so. One that was measured again does not count: `samples` leaves it out, `disturbed_samples` shows all that are marked.
ALTER TABLE sample ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE sample ADD COLUMN is_replaced INTEGER NOT NULL DEFAULT 0;
DROP VIEW samples;
CREATE VIEW samples AS
  SELECT run.run_id AS run_id, sample.metric AS metric, sample.item AS item, sample.repetition AS repetition, sample.value AS value
  FROM sample
  JOIN run ON run.id = sample.run
  WHERE sample.is_replaced = 0;
CREATE VIEW disturbed_samples AS
  SELECT run.run_id AS run_id, sample.metric AS metric, sample.item AS item, sample.repetition AS repetition, sample.value AS value,
         sample.mark AS mark, sample.is_replaced AS is_replaced
  FROM sample
  JOIN run ON run.id = sample.run
  WHERE sample.mark <> '';
