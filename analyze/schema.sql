-- The database of results: what kick-analyze-load writes and every renderer reads.
--
-- Rows are keyed by the ids of the streams they came from, so loading in any order, or twice, gives
-- the same database. Numbers carry their unit in the column's name; a share is a number from 0 to 1,
-- a *_percent column (views only) from 0 to 100. NULL means: not applicable, or not finite.

PRAGMA application_id = 1802068843; -- 'kick'
PRAGMA user_version = 5;            -- raised whenever a reader of the old schema would go wrong

-- One compressed, or dense, model.
CREATE TABLE variant (
    id                TEXT NOT NULL PRIMARY KEY,  -- id of the model stream
    checkpoint_id     TEXT NOT NULL,              -- id of the model as ingested; its dense variant has id = checkpoint_id
    model             TEXT NOT NULL,              -- its name: llama-6.7B …
    role              TEXT,                       -- its part in a report: large, small, other
    method            TEXT NOT NULL,              -- dense, magnitude, rtn …; 'wanda + rtn' for both in a row
    method_label      TEXT NOT NULL,              -- the same, as printed
    compression       TEXT NOT NULL CHECK (compression IN ('none', 'unstructured', 'n:m', 'quantized', 'mixed', 'other')),
    sparsity_target   REAL CHECK (sparsity_target BETWEEN 0 AND 1),   -- asked for
    pattern           TEXT,                       -- '2:4': 2 of every 4 weights kept
    bits              INTEGER CHECK (bits BETWEEN 1 AND 32),          -- of a quantized weight
    group_columns     INTEGER CHECK (group_columns >= 0),             -- weights sharing one scale; 0: a whole row
    sparsity_achieved REAL CHECK (sparsity_achieved BETWEEN 0 AND 1), -- share of zeros counted in the projections
    bits_per_weight   REAL CHECK (bits_per_weight >= 0),              -- stored, everything included
    stored_bytes      INTEGER CHECK (stored_bytes >= 0),
    steps             TEXT NOT NULL CHECK (json_valid(steps))         -- [{"program","options"}…] since ingestion
) STRICT, WITHOUT ROWID;

-- One result stream: one variant, one task, one dataset.
CREATE TABLE result (
    id           TEXT NOT NULL PRIMARY KEY,
    variant_id   TEXT NOT NULL REFERENCES variant (id),
    task         TEXT NOT NULL,                   -- perplexity, factoid …
    mode         TEXT,                            -- open or closed book, where a task has modes
    judge        TEXT,                            -- who judged, where somebody did
    data_name    TEXT NOT NULL,
    data_digest  TEXT NOT NULL,
    definition   TEXT NOT NULL CHECK (json_valid(definition) AND definition <> '{}'), -- how the number is defined
    record_count INTEGER NOT NULL CHECK (record_count >= 0),
    end_digest   TEXT NOT NULL                    -- digest of the whole stream
) STRICT, WITHOUT ROWID;
CREATE INDEX result_by_variant ON result (variant_id, task);

-- How a result came about, first step first.
CREATE TABLE step (
    result_id TEXT NOT NULL REFERENCES result (id),
    position  INTEGER NOT NULL CHECK (position >= 1),
    program   TEXT NOT NULL,
    revision  INTEGER NOT NULL,
    options   TEXT NOT NULL CHECK (json_valid(options)),
    sides     TEXT NOT NULL CHECK (json_valid(sides)), -- digests of side inputs: calibration, dataset …
    id        TEXT NOT NULL,                           -- of the stream that this step wrote
    PRIMARY KEY (result_id, position)
) STRICT, WITHOUT ROWID;

-- Perplexity: one window of text.
CREATE TABLE window (
    result_id    TEXT NOT NULL REFERENCES result (id),
    window       INTEGER NOT NULL CHECK (window >= 0),
    token_count  INTEGER NOT NULL CHECK (token_count >= 0), -- the first of them is not scored
    nll_sum_nats REAL,                                      -- negative log-likelihood of the scored tokens
    PRIMARY KEY (result_id, window)
) STRICT, WITHOUT ROWID;

-- Tasks: one question, story or conversation.
CREATE TABLE item (
    result_id    TEXT NOT NULL REFERENCES result (id),
    item         TEXT NOT NULL,   -- named as its dataset names it
    item_group   TEXT,            -- subject, bucket …
    strict_score REAL,            -- the dataset's own rule
    paper_score  REAL,            -- the rule of the paper's released code
    output       TEXT,            -- what the model wrote
    finish       TEXT,            -- eos, length or stop
    token_count  INTEGER CHECK (token_count >= 0),
    record       TEXT NOT NULL CHECK (json_valid(record)), -- the record's other keys (logprob, scores …)
    PRIMARY KEY (result_id, item)
) STRICT, WITHOUT ROWID;

-- Summary values of a result. Nested values are named with a slash: 'STEM/strict'.
CREATE TABLE metric (
    result_id TEXT NOT NULL REFERENCES result (id),
    metric    TEXT NOT NULL,
    value     REAL,
    stderr    REAL CHECK (stderr >= 0),
    low       REAL, -- 95 % interval: value ∓ 1.96 standard errors; of a perplexity,
    high      REAL, -- exp(nll_mean ∓ 1.96 standard errors)
    PRIMARY KEY (result_id, metric)
) STRICT, WITHOUT ROWID;

-- Scores of a task: the mean of one rule over all items, or over a part of them.
CREATE TABLE score (
    result_id   TEXT NOT NULL REFERENCES result (id),
    rule        TEXT NOT NULL,    -- strict, paper, contains …; of a judge: coherence …; unique_tokens
    part_kind   TEXT NOT NULL CHECK (part_kind IN ('all', 'group', 'discipline')),
    part        TEXT NOT NULL,    -- '' for all; a subject, bucket …
    item_count  INTEGER NOT NULL CHECK (item_count > 0), -- with a score; skipped ones are not counted
    mean        REAL NOT NULL,
    low         REAL,             -- 95 % interval
    high        REAL,
    interval    TEXT NOT NULL CHECK (interval IN ('wilson', 'bootstrap')),
    PRIMARY KEY (result_id, rule, part_kind, part)
) STRICT, WITHOUT ROWID;

-- Each result beside the dense model's on the same data under the same definition; of several seeds the same,
-- else the least. Made anew by each load.
CREATE TABLE dense_result (
    result_id TEXT NOT NULL PRIMARY KEY REFERENCES result (id),
    dense_id  TEXT NOT NULL REFERENCES result (id)
) STRICT, WITHOUT ROWID;

-- The same scores with the runs joined that differ in the seed of their calibration only: the mean of
-- the runs; its interval reaches from the lowest end of theirs to the highest. Made anew by each load.
CREATE TABLE joined_score (
    result_id   TEXT NOT NULL REFERENCES result (id), -- of the first run
    rule        TEXT NOT NULL,
    part_kind   TEXT NOT NULL,
    part        TEXT NOT NULL,
    run_count   INTEGER NOT NULL CHECK (run_count > 0),
    item_count  INTEGER NOT NULL,                     -- of one run
    mean        REAL NOT NULL,
    low         REAL,
    high        REAL,
    interval    TEXT NOT NULL,
    PRIMARY KEY (result_id, rule, part_kind, part)
) STRICT, WITHOUT ROWID;

-- What an LLM judge is, or was, asked: the lines of judge-request.
CREATE TABLE request (
    name     TEXT NOT NULL, -- of the file
    item     TEXT NOT NULL,
    position TEXT NOT NULL CHECK (position IN ('12', '21')), -- 12: the judged answer is that of assistant 2
    judge    TEXT NOT NULL, -- model to be asked
    system   TEXT NOT NULL,
    prompt   TEXT NOT NULL,
    PRIMARY KEY (name, item, position)
) STRICT, WITHOUT ROWID;

-- The same items, or windows of text, of a variant and of its dense model.
CREATE TABLE paired (
    result_id  TEXT NOT NULL REFERENCES result (id),
    rule       TEXT NOT NULL,  -- as in score; paper_excess: paper - strict of the variant; perplexity_ratio: exp of the mean difference of the windows' nll
    pair_count INTEGER NOT NULL CHECK (pair_count > 0),
    difference REAL NOT NULL,  -- dense - variant, mean of the pairs: what was lost; or the ratio
    low        REAL,           -- 95 % interval: ∓ 1.96 standard errors of the mean difference
    high       REAL,
    PRIMARY KEY (result_id, rule)
) STRICT, WITHOUT ROWID;

-- ---- for people -------------------------------------------------------------------------------

-- One row a variant, as a reader would list them: dense first, then by method and strength.
CREATE VIEW variants AS
SELECT v.model, v.role, v.method_label AS method, v.compression,
       100 * v.sparsity_target AS sparsity_percent, v.pattern, v.bits, v.group_columns,
       100 * v.sparsity_achieved AS achieved_percent, v.bits_per_weight, v.stored_bytes,
       v.stored_bytes / 1e6 AS stored_megabytes,
       CAST(v.stored_bytes AS REAL) / d.stored_bytes AS share_of_dense_bytes,
       v.id AS variant_id, v.checkpoint_id
FROM variant AS v LEFT JOIN variant AS d ON d.id = v.checkpoint_id
ORDER BY v.role, v.model, v.checkpoint_id,
         CASE v.compression WHEN 'none' THEN 0 WHEN 'unstructured' THEN 1 WHEN 'n:m' THEN 2
                            WHEN 'quantized' THEN 3 ELSE 4 END,
         v.method, v.sparsity_target, v.pattern, v.bits DESC, v.group_columns, v.id;

-- Each variant's perplexity on each text, beside that of the dense model on the same text.
CREATE VIEW perplexity AS
SELECT v.model, v.role, r.data_name AS text, v.method_label AS method, v.method AS method_name, v.compression,
       100 * v.sparsity_target AS sparsity_percent, v.pattern, v.bits, v.group_columns,
       100 * v.sparsity_achieved AS achieved_percent, v.bits_per_weight, v.stored_bytes,
       p.value AS perplexity, p.low, p.high,
       w.value AS window_count, s.value AS scored_tokens,
       word.value AS word_perplexity, bpb.value AS bits_per_byte,
       dp.value AS dense_perplexity, dp.low AS dense_low, dp.high AS dense_high,
       p.value / dp.value AS times_dense,
       r.data_digest AS text_digest, r.definition, r.id AS result_id, v.id AS variant_id
FROM result AS r
JOIN variant AS v ON v.id = r.variant_id
JOIN metric AS p ON p.result_id = r.id AND p.metric = 'perplexity'
LEFT JOIN metric AS w ON w.result_id = r.id AND w.metric = 'windows'
LEFT JOIN metric AS s ON s.result_id = r.id AND s.metric = 'scored'
LEFT JOIN metric AS word ON word.result_id = r.id AND word.metric = 'word_perplexity'
LEFT JOIN metric AS bpb ON bpb.result_id = r.id AND bpb.metric = 'bits_per_byte'
LEFT JOIN result AS dr ON dr.variant_id = v.checkpoint_id AND dr.task = r.task
     AND dr.data_digest = r.data_digest AND dr.definition = r.definition
LEFT JOIN metric AS dp ON dp.result_id = dr.id AND dp.metric = 'perplexity'
WHERE r.task = 'perplexity';

-- How many samples each variant was calibrated on, and whether that is what most of its model's variants
-- have (the others belong to comparisons of that count).
CREATE VIEW calibration AS
WITH counted AS (
    SELECT v.id, v.checkpoint_id, (SELECT max(json_extract(s.value, '$.options.count')) FROM json_each(v.steps) AS s)
           AS sample_count FROM variant AS v),
usual AS (
    SELECT checkpoint_id, sample_count, row_number() OVER (PARTITION BY checkpoint_id ORDER BY count(*) DESC, sample_count DESC)
           AS place FROM counted WHERE sample_count IS NOT NULL GROUP BY checkpoint_id, sample_count)
SELECT c.id AS variant_id, c.sample_count, coalesce(c.sample_count = u.sample_count, 1) AS is_usual
FROM counted AS c LEFT JOIN usual AS u ON u.checkpoint_id = c.checkpoint_id AND u.place = 1;

-- Variants that differ in the seed of their calibration only are runs of one: which is the first?
CREATE VIEW run AS
SELECT id AS variant_id, seed,
       first_value(id) OVER (PARTITION BY checkpoint_id, seedless ORDER BY seed, id) AS first_variant_id
FROM (SELECT v.id, v.checkpoint_id,
             (SELECT max(json_extract(s.value, '$.options.seed')) FROM json_each(v.steps) AS s) AS seed,
             (SELECT group_concat(json_remove(s.value, '$.options.seed'), ';') FROM json_each(v.steps) AS s) AS seedless
      FROM variant AS v);

-- All results that a number filed under result_id was made of: its runs.
CREATE VIEW traced AS
SELECT r.id AS result_id, o.id AS run_result_id, w.seed
FROM result AS r JOIN run AS u ON u.variant_id = r.variant_id JOIN run AS w ON w.first_variant_id = u.first_variant_id
JOIN result AS o ON o.variant_id = w.variant_id AND o.task = r.task AND o.mode IS r.mode AND o.judge IS r.judge
     AND o.data_digest = r.data_digest AND o.definition = r.definition;

-- What every variant scored, runs joined, in percent (but for counts), beside the dense model.
CREATE VIEW scores AS
SELECT v.model, v.role,
       CASE r.task WHEN 'factoid' THEN 'Factoid QA' WHEN 'choice' THEN 'Multiple choice'
                   WHEN 'retrieval' THEN CASE r.mode WHEN 'open' THEN 'Open-book QA' ELSE 'Closed-book QA' END
                   WHEN 'summary' THEN 'Summaries' WHEN 'chat' THEN 'Instructions' ELSE r.task END AS capability,
       r.task, r.mode, r.judge, r.data_name, r.data_digest,
       json_extract(r.definition, '$.shots') AS shots,
       v.method_label AS method, v.method AS method_name, v.compression,
       -- Groups of other than 128 weights are series of their own.
       CASE WHEN v.compression = 'quantized' AND v.group_columns NOT IN (0, 128)
            THEN v.method_label || ' g' || v.group_columns ELSE v.method_label END AS series,
       100 * v.sparsity_target AS sparsity_percent, v.pattern, v.bits, v.group_columns,
       v.bits_per_weight, v.stored_bytes, c.sample_count, c.is_usual,
       s.rule, s.part_kind, s.part, s.run_count, s.item_count, s.interval,
       CASE WHEN coalesce(r.judge, 'overlap') = 'overlap' THEN 100 ELSE 1 END AS factor, -- shown is factor * mean: percent, or an LLM's own 1 to 10
       s.mean, s.low, s.high, d.mean AS dense_mean, d.low AS dense_low, d.high AS dense_high,
       100 * s.mean AS percent, 100 * s.low AS low_percent, 100 * s.high AS high_percent,
       100 * d.mean AS dense_percent, 100 * d.low AS dense_low_percent, 100 * d.high AS dense_high_percent,
       -- To sort by: roles, then methods, in the order in which reports list them.
       CASE v.role WHEN 'large' THEN 0 WHEN 'small' THEN 1 WHEN 'other' THEN 2 ELSE 3 END AS role_order,
       CASE v.method WHEN 'dense' THEN 0 WHEN 'magnitude' THEN 1 WHEN 'wanda' THEN 2 WHEN 'sparsegpt' THEN 3
                     WHEN 'rtn' THEN 4 WHEN 'gptq' THEN 5 WHEN 'awq' THEN 6 WHEN 'int8' THEN 7 ELSE 8 END AS method_order,
       r.id AS result_id, v.id AS variant_id, v.checkpoint_id
FROM joined_score AS s
JOIN result AS r ON r.id = s.result_id
JOIN variant AS v ON v.id = r.variant_id
JOIN calibration AS c ON c.variant_id = v.id
LEFT JOIN dense_result AS dr ON dr.result_id = r.id
LEFT JOIN joined_score AS d ON d.result_id = dr.dense_id AND d.rule = s.rule AND d.part_kind = s.part_kind AND d.part = s.part;

-- The scores that stand for a task in the paper's tables 2 and 3. best: the best of those of one strength, and
-- what the paired difference (95 %, of the first runs) does not tell apart from it.
CREATE VIEW table_score AS
WITH labelled AS (
    SELECT *, CASE WHEN task = 'factoid' AND rule = 'strict' AND part_kind = 'all' THEN 'Factoid QA'
                   WHEN task = 'choice' AND rule = 'strict' AND part_kind = 'all' AND shots = 0 THEN 'Multiple choice'
                   WHEN task = 'retrieval' AND mode = 'open' AND rule = 'strict' AND part_kind = 'all' THEN 'Open-book QA'
                   WHEN task = 'summary' AND judge = shown AND rule = 'coherence' AND part_kind = 'group' AND part = 'large'
                        THEN 'Long summaries'
                   WHEN task = 'chat' AND judge = shown AND rule = CASE judge WHEN 'overlap' THEN 'relevance' ELSE 'overall' END
                        AND part_kind = 'all' THEN 'Instructions' END
              AS row_label
    FROM (SELECT s.*, j.judge AS shown FROM scores AS s LEFT JOIN shown_judge AS j ON j.task = s.task) WHERE is_usual AND coalesce(group_columns, 0) IN (0, 128)),
compared AS (
    SELECT *, first_value(result_id) OVER (PARTITION BY checkpoint_id, row_label, compression, pattern, bits, sparsity_percent
                                           ORDER BY percent DESC, result_id) AS best_id
    FROM labelled WHERE row_label IS NOT NULL)
SELECT c.*, coalesce(c.role || ' model (' || c.model || ')', c.model) AS facet,
       c.result_id = c.best_id OR coalesce((
           SELECT avg(d) - 1.96 * sqrt(max(avg(d * d) - avg(d) * avg(d), 0) / (count(d) - 1)) <= 0
           FROM (SELECT CASE WHEN json_extract(a.record, '$.scores') IS NULL THEN a.strict_score - b.strict_score
                             ELSE json_extract(a.record, '$.scores.' || c.rule) - json_extract(b.record, '$.scores.' || c.rule) END AS d
                 FROM item AS a JOIN item AS b ON b.item = a.item
                 WHERE a.result_id = c.best_id AND b.result_id = c.result_id AND (c.part_kind = 'all' OR b.item_group = c.part))), 0) AS best
FROM compared AS c;

-- Each item as people read it: the turns of a conversation as one text, a judge's scores on one line.
CREATE VIEW reading AS
SELECT i.result_id, i.item, json_extract(i.record, '$.prompt') AS prompt,
       coalesce((SELECT group_concat('Turn ' || (t.key + 1) || ': ' || trim(json_extract(t.value, '$.output')), char(10))
                 FROM json_each(i.record, '$.turns') AS t), i.output) AS output,
       (SELECT group_concat(q.key || ' ' || printf('%.2f', q.value), ', ') FROM json_each(i.record, '$.scores') AS q
        WHERE q.value IS NOT NULL) AS scores,
       coalesce(json_extract(i.record, '$.explanation'), json_extract(i.record, '$.verdict')) AS explanation
FROM item AS i;

-- What the paper shows samples of: the answers of the small model that lost its 10 % smallest weights.
CREATE VIEW sample_result AS
SELECT r.id, r.task, r.data_digest, v.role, v.model, v.id AS variant_id
FROM result AS r JOIN variant AS v ON v.id = r.variant_id
WHERE r.task IN ('summary', 'chat') AND r.judge IS NULL AND v.method = 'magnitude' AND v.pattern IS NULL
      AND abs(v.sparsity_target - 0.1) < 1e-6 AND coalesce(v.role, 'small') = 'small';

-- The first item of each part (bucket of lengths, category) of them.
CREATE VIEW sample_item AS
SELECT task, item_group AS part, item,
       CASE item_group WHEN 'small' THEN 0 WHEN 'mid' THEN 1 WHEN 'large' THEN 2 ELSE 3 END AS part_order
FROM (SELECT r.task, i.item_group, i.item,
             row_number() OVER (PARTITION BY r.task, i.item_group ORDER BY length(i.item), i.item) AS place
      FROM sample_result AS r JOIN item AS i ON i.result_id = r.id)
WHERE place = 1;

-- Whose scores are shown of a task: an LLM judge's, where its verdicts on a dense model were loaded too.
CREATE VIEW shown_judge AS
SELECT task, judge,
       CASE judge WHEN 'overlap' THEN 'Automatic score (0–100)' ELSE 'Score by ' || judge || ' (1–10)' END AS axis,
       CASE judge WHEN 'overlap' THEN 'of 100' ELSE 'of 10' END AS unit,
       CASE judge WHEN 'overlap' THEN 'the automatic judge (judge-overlap, from 0 to 1, shown times 100: repetition and order, support in the source, likelihood under the dense model, facts recalled), since no LLM judge''s answers were loaded'
                  ELSE 'the LLM judge ' || judge || ' (1 to 10)' END AS description
FROM (SELECT r.task, r.judge,
             row_number() OVER (PARTITION BY r.task
                                ORDER BY CASE WHEN r.judge = 'overlap' THEN 1 WHEN max(v.id = v.checkpoint_id) THEN 0 ELSE 2 END, r.judge) AS place
      FROM result AS r JOIN variant AS v ON v.id = r.variant_id WHERE r.judge IS NOT NULL GROUP BY r.task, r.judge)
WHERE place = 1;

-- Where each number comes from: one row a step of its history.
CREATE VIEW provenance AS
SELECT v.model, v.role, v.method_label AS method, r.task, r.data_name, s.position, s.program, s.revision,
       s.options, s.sides, s.id AS step_id, r.id AS result_id
FROM step AS s JOIN result AS r ON r.id = s.result_id JOIN variant AS v ON v.id = r.variant_id
ORDER BY v.role, v.model, v.method, v.id, r.task, r.data_name, r.id, s.position;
