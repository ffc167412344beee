"""Teacher -> student: corpus, teacher, student, int8, figures, signature. The only place that imports torch, and lazily."""
