WITH p AS (SELECT c.*, r.id AS kl_result_id, m.value AS kl, js.value AS js, t.value AS agreement, r.data_name AS text, w.value AS windows
           FROM answer_change AS c JOIN result AS r ON r.variant_id = c.variant_id AND r.task = 'divergence'
                AND r.data_name = (SELECT data_name FROM (SELECT DISTINCT data_name FROM result WHERE task = 'divergence') ORDER BY data_name <> 'mixed', data_name LIMIT 1)
           JOIN metric AS m ON m.result_id = r.id AND m.metric = 'kl' JOIN metric AS js ON js.result_id = r.id AND js.metric = 'js'
           JOIN metric AS t ON t.result_id = r.id AND t.metric = 'top1_agreement' LEFT JOIN metric AS w ON w.result_id = r.id AND w.metric = 'windows')
