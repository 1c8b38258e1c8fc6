"""Tables of the deep extension: learners beside their exact solvers. The extra `deep` is imported when one is computed."""
