"""Tables of the deep extension: learners beside their exact solvers. They need the extra `deep`, which is imported when one is computed."""
