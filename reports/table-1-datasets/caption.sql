SELECT CASE WHEN (SELECT count(*) FROM result WHERE data_name IN ('mixed', 'prose', 'facts') AND task = 'perplexity') > 0
            THEN 'The data sets in the forms of the paper''s were made for the embedded models and are not those: their facts belong to an invented world (data/README.md), since models this small know nothing of ours. '
                 || 'Perplexity is told on three texts side by side: prose without facts, facts alone, and the mix of training, on which the headline is.'
            ELSE 'What stands under "In the paper" is the form that was read.' END AS made
