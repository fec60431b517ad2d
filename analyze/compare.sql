-- What analyze-compare adds to the database: each result beside that of the dense model on the same
-- items, and each sweep's limits under the paper's matching rule. Both are rewritten by every run.
DROP VIEW IF EXISTS answer_change;
DROP VIEW IF EXISTS compared;
DROP TABLE IF EXISTS comparison;
DROP TABLE IF EXISTS sweep;

CREATE TABLE comparison (
    result_id       TEXT NOT NULL REFERENCES result (id),
    metric          TEXT NOT NULL,     -- strict, paper, strict_norm, letter, contains … of a task; coherence … of a judge; nll_mean of perplexity
    dense_result_id TEXT NOT NULL REFERENCES result (id),
    n               INTEGER NOT NULL,  -- items (perplexity: windows) that both have
    value           REAL NOT NULL,     -- mean over them
    dense_value     REAL NOT NULL,
    drop_value      REAL NOT NULL,     -- how much worse: dense - value; of nll_mean value - dense
    low             REAL NOT NULL,     -- 95 % interval of the drop: paired percentile bootstrap
    high            REAL NOT NULL,
    retained        REAL,              -- value / dense value; of nll_mean dense perplexity / perplexity
    detectable      REAL,              -- smallest drop found at 80 % power, two-sided 5 %
    right_to_wrong  INTEGER,           -- items that only dense has right (scores of 0 and 1)
    wrong_to_right  INTEGER,
    flips           REAL,              -- share of items whose correctness changed
    all_flips       REAL,              -- and of those that gave another wrong answer
    p_value         REAL,              -- exact McNemar test
    p_mid           REAL,              -- its mid-p
    p_holm          REAL,              -- p_value, Holm-corrected within task, data, metric and model
    matching        INTEGER,           -- 1: not more than 5 % below dense
    draws           INTEGER NOT NULL,  -- of the bootstrap
    seeds           INTEGER NOT NULL,  -- 1: one seed, the interval is over items only; more: results that differ in
                                       -- nothing else, joined: values are means over them, the interval is over
                                       -- seeds and items, counts and p values are NULL
    joined          INTEGER NOT NULL,  -- 1: of one seed, and part of such a row
    PRIMARY KEY (result_id, metric, seeds)
) STRICT, WITHOUT ROWID;

-- Every variant once: those of several seeds as one.
CREATE VIEW compared AS SELECT * FROM comparison WHERE NOT joined;

-- What became of the answers of each variant (the first of several seeds, calibrated as usual): what was lost
-- of the strict score, without shots, and how many answers changed.
CREATE VIEW answer_change AS
SELECT v.role, v.model, CASE v.role WHEN 'large' THEN 0 WHEN 'small' THEN 1 WHEN 'other' THEN 2 ELSE 3 END AS role_order,
       coalesce(v.role || ' model (' || v.model || ')', v.model) AS facet,
       CASE r.task WHEN 'factoid' THEN 'Factoid QA' WHEN 'choice' THEN 'Multiple choice'
                   WHEN 'retrieval' THEN CASE r.mode WHEN 'open' THEN 'Open-book QA' ELSE 'Closed-book QA' END END AS capability,
       v.compression, v.method, v.method_label AS series, 100 * v.sparsity_target AS sparsity_percent, v.pattern, v.bits,
       c.n, 100 * c.drop_value AS lost_points, 100 * c.low AS lost_low, 100 * c.high AS lost_high,
       c.flips, 100 * c.flips AS flips_percent, c.right_to_wrong, c.wrong_to_right, c.p_holm, c.result_id, v.id AS variant_id
FROM comparison AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
JOIN run AS u ON u.variant_id = v.id AND u.first_variant_id = v.id
JOIN calibration AS k ON k.variant_id = v.id AND k.is_usual
WHERE c.metric = 'strict' AND r.task IN ('factoid', 'choice', 'retrieval') AND coalesce(json_extract(r.definition, '$.shots'), 0) = 0
      AND v.compression IN ('unstructured', 'n:m', 'quantized');

CREATE TABLE sweep (
    checkpoint_id TEXT NOT NULL,
    task          TEXT NOT NULL,
    mode          TEXT NOT NULL,       -- '' where the task has none
    judge         TEXT NOT NULL,       -- '' where nobody judged
    data_digest   TEXT NOT NULL,
    definition    TEXT NOT NULL,
    metric        TEXT NOT NULL,
    method        TEXT NOT NULL,
    axis          TEXT NOT NULL,       -- sparsity (rising) or bits (falling)
    points        INTEGER NOT NULL,
    first_failure REAL,                -- first point that does not match; NULL: all do
    last_pass     REAL,                -- last point that does, which may lie beyond; NULL: none
    break_point   REAL,                -- where the line through the points first falls under 95 %; NULL: it does not
    low           REAL,                -- 95 % bootstrap interval of it; NULL: beyond the last point
    high          REAL,
    PRIMARY KEY (checkpoint_id, task, mode, judge, data_digest, definition, metric, method, axis)
) STRICT, WITHOUT ROWID;
