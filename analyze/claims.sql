-- The paper's claims, each as a query over the database: one row for every case that the claim speaks
-- of, with the columns effect, low and high (or effect and variance, that of the effect, for an
-- interval of ∓ 1.96 standard errors). An effect above 0 speaks for the claim.
--   holds        there are cases, and every interval lies above 0
--   fails        some interval lies below 0
--   cannot tell  anything else, no cases included
-- "worse than matching" is drop - 5 % of dense, dense taken as fixed; the scores are strict.

-- claim pruning-loses-facts: At 25 to 30 % sparsity pruned models no longer match on factoid questions.
SELECT c.drop_value - 0.05 * c.dense_value AS effect, c.low - 0.05 * c.dense_value AS low,
       c.high - 0.05 * c.dense_value AS high
FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
WHERE r.task = 'factoid' AND c.metric = 'strict' AND v.compression = 'unstructured'
  AND v.sparsity_target BETWEEN 0.25 AND 0.35;

-- claim nm-fails-on-knowledge: With N:M sparsity no pruner matches on factoid questions or multiple choice.
SELECT c.drop_value - 0.05 * c.dense_value AS effect, c.low - 0.05 * c.dense_value AS low,
       c.high - 0.05 * c.dense_value AS high
FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
WHERE r.task IN ('factoid', 'choice') AND c.metric = 'strict' AND v.compression = 'n:m';

-- claim quantization-beats-pruning: At half the size (8 bits against 50 % sparsity) quantization keeps more than pruning.
SELECT p.drop_value - q.drop_value AS effect, p.low - q.high AS low, p.high - q.low AS high
FROM compared AS p JOIN result AS rp ON rp.id = p.result_id JOIN variant AS vp ON vp.id = rp.variant_id
JOIN compared AS q ON q.metric = p.metric AND q.dense_result_id = p.dense_result_id
JOIN result AS rq ON rq.id = q.result_id JOIN variant AS vq ON vq.id = rq.variant_id
WHERE p.metric = 'strict' AND rp.task IN ('factoid', 'choice', 'retrieval')
  AND vp.compression = 'unstructured' AND abs(vp.sparsity_target - 0.5) < 0.001
  AND vq.compression = 'quantized' AND vq.bits = 8;

-- claim eight-bits-lose-facts: GPTQ at 8 bits already loses on factoid questions.
SELECT c.drop_value AS effect, c.low, c.high
FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
WHERE r.task = 'factoid' AND c.metric = 'strict' AND v.method = 'gptq' AND v.bits = 8;

-- claim pruned-still-reads: At 50 % sparsity models pruned by Wanda or SparseGPT still match with the evidence in the prompt.
SELECT 0.05 * c.dense_value - c.drop_value AS effect, 0.05 * c.dense_value - c.high AS low,
       0.05 * c.dense_value - c.low AS high
FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
WHERE r.task = 'retrieval' AND r.mode = 'open' AND c.metric = 'strict'
  AND v.method IN ('wanda', 'sparsegpt') AND v.compression = 'unstructured'
  AND abs(v.sparsity_target - 0.5) < 0.001;

-- claim fluent-but-wrong: At 50 % sparsity summaries lose a greater share of consistency than of fluency.
SELECT c.drop_value / c.dense_value - f.drop_value / f.dense_value AS effect,
       c.low / c.dense_value - f.high / f.dense_value AS low,
       c.high / c.dense_value - f.low / f.dense_value AS high
FROM compared AS c JOIN compared AS f ON f.result_id = c.result_id AND f.metric = 'fluency'
JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
WHERE r.task = 'summary' AND c.metric = 'consistency' AND c.dense_value > 0 AND f.dense_value > 0
  AND v.compression = 'unstructured' AND abs(v.sparsity_target - 0.5) < 0.001;

-- claim long-stories-suffer-more: At 50 % sparsity large stories lose more consistency than small ones.
SELECT avg(x.drop_value) FILTER (WHERE x.bucket = 'large') - avg(x.drop_value) FILTER (WHERE x.bucket = 'small') AS effect,
       (avg(x.drop_value * x.drop_value) FILTER (WHERE x.bucket = 'large') -
        avg(x.drop_value) FILTER (WHERE x.bucket = 'large') * avg(x.drop_value) FILTER (WHERE x.bucket = 'large')) /
       (count(*) FILTER (WHERE x.bucket = 'large') - 1) +
       (avg(x.drop_value * x.drop_value) FILTER (WHERE x.bucket = 'small') -
        avg(x.drop_value) FILTER (WHERE x.bucket = 'small') * avg(x.drop_value) FILTER (WHERE x.bucket = 'small')) /
       (count(*) FILTER (WHERE x.bucket = 'small') - 1) AS variance
FROM (SELECT c.result_id, a.item_group AS bucket,
             json_extract(a.record, '$.scores.consistency') - json_extract(b.record, '$.scores.consistency') AS drop_value
      FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
      JOIN item AS a ON a.result_id = c.dense_result_id JOIN item AS b ON b.result_id = c.result_id AND b.item = a.item
      WHERE r.task = 'summary' AND c.metric = 'consistency' AND v.compression = 'unstructured'
        AND abs(v.sparsity_target - 0.5) < 0.001
      ORDER BY c.result_id, a.item) AS x
GROUP BY x.result_id HAVING count(*) FILTER (WHERE x.bucket = 'large') > 1 AND count(*) FILTER (WHERE x.bucket = 'small') > 1
ORDER BY x.result_id;

-- claim small-dense-beats-large-sparse: On multiple choice no large model pruned to the small one's size is better than it.
SELECT avg(a.strict_score - b.strict_score) AS effect,
       (avg((a.strict_score - b.strict_score) * (a.strict_score - b.strict_score)) -
        avg(a.strict_score - b.strict_score) * avg(a.strict_score - b.strict_score)) / (count(*) - 1) AS variance
FROM result AS rs JOIN variant AS vs ON vs.id = rs.variant_id AND vs.role = 'small' AND vs.compression = 'none'
JOIN result AS rl ON rl.task = rs.task AND rl.data_digest = rs.data_digest
JOIN variant AS vl ON vl.id = rl.variant_id AND vl.role = 'large' AND vl.compression = 'unstructured'
  AND vl.sparsity_target BETWEEN 0.45 AND 0.5
JOIN item AS a ON a.result_id = rs.id JOIN item AS b ON b.result_id = rl.id AND b.item = a.item
WHERE rs.task = 'choice' AND a.strict_score IS NOT NULL AND b.strict_score IS NOT NULL
GROUP BY rs.id, rl.id HAVING count(*) > 1 ORDER BY rs.id, rl.id;

-- claim perplexity-sees-nothing: Up to 30 % sparsity the perplexity of models pruned by Wanda or SparseGPT rises by less than 5 %.
SELECT 0.048790164169432 - c.drop_value AS effect, 0.048790164169432 - c.high AS low,
       0.048790164169432 - c.low AS high
FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
WHERE r.task = 'perplexity' AND c.metric = 'nll_mean' AND v.method IN ('wanda', 'sparsegpt')
  AND v.compression = 'unstructured' AND v.sparsity_target <= 0.301;

-- claim nm-never-matches: With N:M sparsity no pruner matches with the evidence in the prompt, on summaries or on instructions.
SELECT c.drop_value - 0.05 * c.dense_value AS effect, c.low - 0.05 * c.dense_value AS low,
       c.high - 0.05 * c.dense_value AS high
FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
WHERE (r.task = 'retrieval' AND r.mode = 'open' AND c.metric = 'strict' OR
       r.task IN ('summary', 'chat') AND c.metric = 'relevance')
  AND v.compression = 'n:m' AND c.dense_value > 0;

-- claim pruned-still-summarises: At 50 % sparsity summaries of models pruned by Wanda or SparseGPT still match in relevance.
SELECT 0.05 * c.dense_value - c.drop_value AS effect, 0.05 * c.dense_value - c.high AS low,
       0.05 * c.dense_value - c.low AS high
FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
WHERE r.task = 'summary' AND c.metric = 'relevance' AND c.dense_value > 0
  AND v.method IN ('wanda', 'sparsegpt') AND v.compression = 'unstructured'
  AND abs(v.sparsity_target - 0.5) < 0.001;

-- claim instructions-match-to-a-quarter: Up to 25 % sparsity answers to instructions match in relevance.
SELECT 0.05 * c.dense_value - c.drop_value AS effect, 0.05 * c.dense_value - c.high AS low,
       0.05 * c.dense_value - c.low AS high
FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
WHERE r.task = 'chat' AND c.metric = 'relevance' AND c.dense_value > 0
  AND v.compression = 'unstructured' AND v.sparsity_target <= 0.251;

-- claim pruned-text-repeats: From 50 % sparsity on answers to instructions hold fewer distinct tokens.
SELECT avg(x.fewer) AS effect, (avg(x.fewer * x.fewer) - avg(x.fewer) * avg(x.fewer)) / (count(*) - 1) AS variance
FROM (SELECT c.result_id, json_extract(a.record, '$.unique_tokens') - json_extract(b.record, '$.unique_tokens') AS fewer
      FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
      JOIN item AS a ON a.result_id = c.dense_result_id JOIN item AS b ON b.result_id = c.result_id AND b.item = a.item
      WHERE r.task = 'chat' AND c.metric = 'relevance' AND v.compression = 'unstructured' AND v.sparsity_target >= 0.499
      ORDER BY c.result_id, a.item) AS x
WHERE x.fewer IS NOT NULL GROUP BY x.result_id HAVING count(*) > 1 ORDER BY x.result_id;

-- claim choice-falls-later: At 50 % sparsity a smaller share of multiple choice is lost than of factoid questions.
SELECT f.drop_value / f.dense_value - c.drop_value / c.dense_value AS effect,
       f.low / f.dense_value - c.high / c.dense_value AS low, f.high / f.dense_value - c.low / c.dense_value AS high
FROM compared AS f JOIN result AS rf ON rf.id = f.result_id JOIN variant AS v ON v.id = rf.variant_id
JOIN result AS rc ON rc.variant_id = v.id AND rc.task = 'choice' AND json_extract(rc.definition, '$.shots') = 0
JOIN compared AS c ON c.result_id = rc.id AND c.metric = 'strict'
WHERE rf.task = 'factoid' AND f.metric = 'strict' AND f.dense_value > 0 AND c.dense_value > 0
  AND v.compression = 'unstructured' AND abs(v.sparsity_target - 0.5) < 0.001;

-- claim evidence-keeps-the-pruned: At 50 % sparsity a smaller share of questions is lost with the evidence in the prompt than without it.
SELECT k.drop_value / k.dense_value - o.drop_value / o.dense_value AS effect,
       k.low / k.dense_value - o.high / o.dense_value AS low, k.high / k.dense_value - o.low / o.dense_value AS high
FROM compared AS k JOIN result AS rk ON rk.id = k.result_id JOIN variant AS v ON v.id = rk.variant_id
JOIN result AS ro ON ro.variant_id = v.id AND ro.task = 'retrieval' AND ro.mode = 'open' AND ro.data_digest = rk.data_digest
JOIN compared AS o ON o.result_id = ro.id AND o.metric = 'strict'
WHERE rk.task = 'retrieval' AND rk.mode = 'closed' AND k.metric = 'strict' AND k.dense_value > 0 AND o.dense_value > 0
  AND v.compression = 'unstructured' AND abs(v.sparsity_target - 0.5) < 0.001;

-- claim learning-by-heart-suffers: At 50 % sparsity humanities and social sciences lose more than STEM.
-- The variances are those of unpaired shares, which is cautious.
SELECT sum(x.lost) FILTER (WHERE x.other) / sum(x.n) FILTER (WHERE x.other) -
       sum(x.lost) FILTER (WHERE NOT x.other) / sum(x.n) FILTER (WHERE NOT x.other) AS effect,
       sum(x.spread) FILTER (WHERE x.other) / sum(x.n) FILTER (WHERE x.other) / sum(x.n) FILTER (WHERE x.other) +
       sum(x.spread) FILTER (WHERE NOT x.other) / sum(x.n) FILTER (WHERE NOT x.other) / sum(x.n) FILTER (WHERE NOT x.other) AS variance
FROM (SELECT c.result_id, s.part <> 'STEM' AS other, s.item_count AS n, s.item_count * (d.mean - s.mean) AS lost,
             s.item_count * (d.mean * (1 - d.mean) + s.mean * (1 - s.mean)) AS spread
      FROM compared AS c JOIN result AS r ON r.id = c.result_id JOIN variant AS v ON v.id = r.variant_id
      JOIN score AS s ON s.result_id = c.result_id AND s.rule = 'strict' AND s.part_kind = 'discipline'
      JOIN score AS d ON d.result_id = c.dense_result_id AND d.rule = 'strict' AND d.part_kind = 'discipline' AND d.part = s.part
      WHERE r.task = 'choice' AND c.metric = 'strict' AND v.compression = 'unstructured'
        AND abs(v.sparsity_target - 0.5) < 0.001 AND s.part IN ('STEM', 'humanities', 'social sciences')
      ORDER BY c.result_id, s.part) AS x
GROUP BY x.result_id HAVING count(*) = 3 ORDER BY x.result_id;

-- claim magnitude-keeps-up: Up to 20 % sparsity magnitude pruning is within 5 % of Wanda and SparseGPT on multiple choice.
SELECT 0.05 * m.dense_value - (m.drop_value - w.drop_value) AS effect, 0.05 * m.dense_value - (m.high - w.low) AS low,
       0.05 * m.dense_value - (m.low - w.high) AS high
FROM compared AS m JOIN result AS rm ON rm.id = m.result_id JOIN variant AS vm ON vm.id = rm.variant_id
JOIN compared AS w ON w.metric = m.metric AND w.dense_result_id = m.dense_result_id
JOIN result AS rw ON rw.id = w.result_id JOIN variant AS vw ON vw.id = rw.variant_id
WHERE rm.task = 'choice' AND m.metric = 'strict' AND vm.method = 'magnitude' AND vw.method IN ('wanda', 'sparsegpt')
  AND vm.compression = 'unstructured' AND vw.compression = 'unstructured' AND vm.sparsity_target <= 0.201
  AND abs(vm.sparsity_target - vw.sparsity_target) < 0.001;

-- claim pruners-alike-at-first: Up to 30 % sparsity perplexities of magnitude, Wanda and SparseGPT differ by less than 5 %.
SELECT 0.048790164169432 - abs(m.drop_value - w.drop_value) AS effect,
       0.048790164169432 - max(m.high - w.low, w.high - m.low) AS low,
       0.048790164169432 - max(m.low - w.high, w.low - m.high, 0) AS high
FROM compared AS m JOIN result AS rm ON rm.id = m.result_id JOIN variant AS vm ON vm.id = rm.variant_id
JOIN compared AS w ON w.metric = m.metric AND w.dense_result_id = m.dense_result_id
JOIN result AS rw ON rw.id = w.result_id JOIN variant AS vw ON vw.id = rw.variant_id
WHERE rm.task = 'perplexity' AND m.metric = 'nll_mean' AND vm.method = 'magnitude' AND vw.method IN ('wanda', 'sparsegpt')
  AND vm.compression = 'unstructured' AND vw.compression = 'unstructured' AND vm.sparsity_target <= 0.301
  AND abs(vm.sparsity_target - vw.sparsity_target) < 0.001;

-- claim sparsegpt-wants-samples: SparseGPT at 50 to 70 % sparsity does better on multiple choice with the most calibration samples than with the fewest.
WITH s AS (SELECT r.id, v.checkpoint_id, v.sparsity_target, r.definition, r.data_digest, k.sample_count,
                  min(k.sample_count) OVER p AS least, max(k.sample_count) OVER p AS most
           FROM result AS r JOIN variant AS v ON v.id = r.variant_id JOIN calibration AS k ON k.variant_id = v.id
           WHERE r.task = 'choice' AND v.method = 'sparsegpt' AND v.compression = 'unstructured' AND v.sparsity_target BETWEEN 0.499 AND 0.701
           WINDOW p AS (PARTITION BY v.checkpoint_id, v.sparsity_target, r.definition, r.data_digest))
SELECT avg(a.strict_score - b.strict_score) AS effect,
       (avg((a.strict_score - b.strict_score) * (a.strict_score - b.strict_score)) -
        avg(a.strict_score - b.strict_score) * avg(a.strict_score - b.strict_score)) / (count(*) - 1) AS variance
FROM s AS x JOIN s AS y USING (checkpoint_id, sparsity_target, definition, data_digest)
JOIN item AS a ON a.result_id = x.id JOIN item AS b ON b.result_id = y.id AND b.item = a.item
WHERE x.sample_count = x.most AND y.sample_count = y.least AND x.most > x.least
  AND a.strict_score IS NOT NULL AND b.strict_score IS NOT NULL
GROUP BY x.id, y.id HAVING count(*) > 1 ORDER BY x.id, y.id;

-- claim wanda-needs-few-samples: Wanda at 50 to 70 % sparsity gains less than 5 points on multiple choice from the most calibration samples against the fewest.
WITH s AS (SELECT r.id, v.checkpoint_id, v.sparsity_target, r.definition, r.data_digest, k.sample_count,
                  min(k.sample_count) OVER p AS least, max(k.sample_count) OVER p AS most
           FROM result AS r JOIN variant AS v ON v.id = r.variant_id JOIN calibration AS k ON k.variant_id = v.id
           WHERE r.task = 'choice' AND v.method = 'wanda' AND v.compression = 'unstructured' AND v.sparsity_target BETWEEN 0.499 AND 0.701
           WINDOW p AS (PARTITION BY v.checkpoint_id, v.sparsity_target, r.definition, r.data_digest))
SELECT 0.05 - avg(a.strict_score - b.strict_score) AS effect,
       (avg((a.strict_score - b.strict_score) * (a.strict_score - b.strict_score)) -
        avg(a.strict_score - b.strict_score) * avg(a.strict_score - b.strict_score)) / (count(*) - 1) AS variance
FROM s AS x JOIN s AS y USING (checkpoint_id, sparsity_target, definition, data_digest)
JOIN item AS a ON a.result_id = x.id JOIN item AS b ON b.result_id = y.id AND b.item = a.item
WHERE x.sample_count = x.most AND y.sample_count = y.least AND x.most > x.least
  AND a.strict_score IS NOT NULL AND b.strict_score IS NOT NULL
GROUP BY x.id, y.id HAVING count(*) > 1 ORDER BY x.id, y.id;

-- claim shots-help-the-pruned: From 50 % sparsity on models pruned by Wanda gain on multiple choice from two or three shots.
SELECT avg(a.strict_score - b.strict_score) AS effect,
       (avg((a.strict_score - b.strict_score) * (a.strict_score - b.strict_score)) -
        avg(a.strict_score - b.strict_score) * avg(a.strict_score - b.strict_score)) / (count(*) - 1) AS variance
FROM variant AS v JOIN result AS x ON x.variant_id = v.id AND x.task = 'choice' AND json_extract(x.definition, '$.shots') IN (2, 3)
JOIN result AS y ON y.variant_id = v.id AND y.task = 'choice' AND y.data_digest = x.data_digest AND json_extract(y.definition, '$.shots') = 0
JOIN item AS a ON a.result_id = x.id JOIN item AS b ON b.result_id = y.id AND b.item = a.item
WHERE v.method = 'wanda' AND v.compression = 'unstructured' AND v.sparsity_target >= 0.499
  AND a.strict_score IS NOT NULL AND b.strict_score IS NOT NULL
GROUP BY x.id, y.id HAVING count(*) > 1 ORDER BY x.id, y.id;

-- claim shots-barely-help-dense: Dense models gain less than 5 points on multiple choice from shots.
SELECT 0.05 - avg(a.strict_score - b.strict_score) AS effect,
       (avg((a.strict_score - b.strict_score) * (a.strict_score - b.strict_score)) -
        avg(a.strict_score - b.strict_score) * avg(a.strict_score - b.strict_score)) / (count(*) - 1) AS variance
FROM variant AS v JOIN result AS x ON x.variant_id = v.id AND x.task = 'choice' AND json_extract(x.definition, '$.shots') > 0
JOIN result AS y ON y.variant_id = v.id AND y.task = 'choice' AND y.data_digest = x.data_digest AND json_extract(y.definition, '$.shots') = 0
JOIN item AS a ON a.result_id = x.id JOIN item AS b ON b.result_id = y.id AND b.item = a.item
WHERE v.compression = 'none' AND a.strict_score IS NOT NULL AND b.strict_score IS NOT NULL
GROUP BY x.id, y.id HAVING count(*) > 1 ORDER BY x.id, y.id;

-- claim int8-is-the-best-of-eight-bits: LLM.int8() keeps more than GPTQ and AWQ at 8 bits.
SELECT q.drop_value - i.drop_value AS effect, q.low - i.high AS low, q.high - i.low AS high
FROM compared AS i JOIN result AS ri ON ri.id = i.result_id JOIN variant AS vi ON vi.id = ri.variant_id
JOIN compared AS q ON q.metric = i.metric AND q.dense_result_id = i.dense_result_id
JOIN result AS rq ON rq.id = q.result_id JOIN variant AS vq ON vq.id = rq.variant_id
WHERE i.metric = 'strict' AND ri.task IN ('factoid', 'choice', 'retrieval')
  AND vi.method = 'int8' AND vq.method IN ('gptq', 'awq') AND vq.bits = 8;
