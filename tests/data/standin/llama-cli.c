#error "only llama-server and llama-fit-params are built"
