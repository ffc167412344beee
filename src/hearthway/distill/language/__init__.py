"""Students that understand text: public corpora, a fine-tuned sentence encoder, distillation, int8.

Nothing here imports torch but `progress`, `batches`, `bert`, `teacher`, `rounding`, `net`, `learn`, `export`, `asked`, `run`.
"""
