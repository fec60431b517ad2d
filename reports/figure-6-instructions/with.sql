-- The judge that is shown of this task: an LLM where its verdicts were loaded, else the automatic one.
WITH s AS (SELECT s.*, j.description, j.unit, j.axis FROM scores AS s JOIN shown_judge AS j ON j.task = s.task AND j.judge = s.judge
           WHERE s.task = 'chat' AND part_kind = 'all' AND rule IN ('coherence', 'fluency', 'relevance', 'overall') AND is_usual)
