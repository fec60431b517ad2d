-- Of the embedded texts the one that is as in training; figure 1b has them side by side. Of others all.
WITH s AS (SELECT p.* FROM perplexity AS p JOIN calibration AS c ON c.variant_id = p.variant_id AND c.is_usual
           WHERE compression IN ('none', 'unstructured', 'n:m', 'quantized')
                 AND (text = 'mixed' OR NOT EXISTS (SELECT 1 FROM perplexity WHERE text = 'mixed')))
