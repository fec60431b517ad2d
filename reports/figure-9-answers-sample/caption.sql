SELECT coalesce(min(role || ' = ' || model), min(model)) AS model FROM sample_result WHERE task = 'chat'
