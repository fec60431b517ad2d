WITH s AS (SELECT * FROM table_score
           WHERE row_label IN ('Factoid QA', 'Multiple choice', 'Open-book QA', 'Instructions') AND compression = 'quantized' AND bits = 8
                 AND checkpoint_id IN (SELECT checkpoint_id FROM variant WHERE method IN ('awq', 'int8')))
