-- The live page shows the last alarms however much was journaled since.
CREATE INDEX journal_urgent ON journal (seq) WHERE stream = 'urgent';
