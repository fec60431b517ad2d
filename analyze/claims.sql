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
