-- What a judge is asked about the pruned model, word for word.
SELECT c.part, q.item, q.judge, q.system, q.prompt
FROM request AS q JOIN sample_item AS c ON c.item = q.item
WHERE c.task = 'chat' AND q.position = '12' AND q.name LIKE '%prune-%eval-chat%'
ORDER BY c.part_order, c.part, q.item, q.name
