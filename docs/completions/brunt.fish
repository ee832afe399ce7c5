complete --keep-order --exclusive --command brunt --arguments "(BRUNT_COMPLETE=fish brunt -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
