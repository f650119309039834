# Docker Compose for our project.
# Copied to build/ by `invoke render`: change it in templates/.

# compose ARGUMENTS…
compose() {
  type -P docker >/dev/null || die 'docker is not on the PATH' 'install it: sudo apt install docker.io docker-compose-v2 (Ubuntu), docker.io docker-compose (Debian 13)'
  docker compose --project-directory "$BUILD_DIR" --env-file "$BUILD_DIR/.env" --file "$BUILD_DIR/docker-compose.yml" "$@"
}
