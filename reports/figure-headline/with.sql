WITH pp AS (SELECT r.id AS perplexity_result_id, r.variant_id, p.difference AS times_dense, p.low AS times_low, p.high AS times_high, p.pair_count, r.data_name AS text
            FROM result AS r JOIN paired AS p ON p.result_id = r.id AND p.rule = 'perplexity_ratio'
            WHERE r.data_name = (SELECT text FROM (SELECT DISTINCT text FROM perplexity) ORDER BY text <> 'mixed', text LIMIT 1)),
point AS (SELECT s.*, 100 * p.difference / s.dense_mean AS lost_percent, 100 * p.low / s.dense_mean AS lost_low,
                 100 * p.high / s.dense_mean AS lost_high, p.pair_count AS items,
                 pp.perplexity_result_id, pp.times_dense, pp.times_low, pp.times_high, pp.pair_count AS windows, pp.text
          FROM scores AS s
          JOIN paired AS p ON p.result_id = s.result_id AND p.rule = s.rule
          JOIN pp ON pp.variant_id = s.variant_id
          WHERE s.rule = 'strict' AND part_kind = 'all' AND is_usual AND (shots IS NULL OR shots = 0) AND task IN ('factoid', 'choice', 'retrieval') AND compression IN ('unstructured', 'n:m', 'quantized') AND s.dense_mean > 0)
