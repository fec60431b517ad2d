SELECT description AS judge FROM shown_judge WHERE task = 'summary'
