-- The judge that is shown of this task: an LLM where its verdicts were loaded, else the automatic one.
WITH s AS (SELECT s.*, j.description, j.unit, j.axis FROM scores AS s JOIN shown_judge AS j ON j.task = s.task AND j.judge = s.judge
           WHERE s.task = 'summary' AND part_kind = 'group' AND rule IN ('coherence', 'consistency', 'fluency', 'relevance') AND is_usual AND compression IN ('none', 'n:m'))
