# ---- The container: the same confinement in Docker, where user namespaces are off

run_in_container() {
  die 'the container is not built yet' 'use --sandbox jail'
}
