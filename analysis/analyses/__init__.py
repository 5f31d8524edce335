"""The analyses of a study: which questions are asked of the summaries, and in what words the answers are stored.

Each module takes summary frames and the study and returns `Estimate` rows (and curves). How a number is computed is in
`analysis/estimate/`.
"""

NO_RECORDS = "no table or field of the source could hold this outcome"
