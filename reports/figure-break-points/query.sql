-- Where each capability first falls under 95 % of the dense model's: the sparsity, or the bits.
SELECT coalesce(role || ' model (' || model || ')', model) AS facet, role, model, capability, series, axis, points,
       CASE axis WHEN 'sparsity' THEN 100 * break_point ELSE break_point END AS break_point,
       CASE axis WHEN 'sparsity' THEN 100 * low ELSE low END AS low, CASE axis WHEN 'sparsity' THEN 100 * high ELSE high END AS high,
       CASE axis WHEN 'sparsity' THEN 100 * first_failure ELSE first_failure END AS first_failure,
       CASE axis WHEN 'sparsity' THEN 100 * last_pass ELSE last_pass END AS last_pass,
       CASE WHEN axis = 'sparsity' THEN coalesce(100 * break_point, 100) END AS plotted,
       CASE WHEN axis = 'sparsity' AND break_point IS NOT NULL THEN 100 * coalesce(low, break_point) END AS plotted_low,
       CASE WHEN axis = 'sparsity' AND break_point IS NOT NULL THEN 100 * coalesce(high, 0.85) END AS plotted_high
FROM s
ORDER BY CASE role WHEN 'large' THEN 0 WHEN 'small' THEN 1 WHEN 'other' THEN 2 ELSE 3 END, model, axis DESC, place,
         CASE method WHEN 'magnitude' THEN 0 WHEN 'wanda' THEN 1 WHEN 'sparsegpt' THEN 2 ELSE 3 END, series, judge, data_digest
