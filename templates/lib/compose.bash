# Docker Compose for our project.
# Copied to build/ by `invoke render`: change it in templates/.

# compose ARGUMENTS…
compose() {
  docker compose --project-directory "$BUILD_DIR" --env-file "$BUILD_DIR/.env" --file "$BUILD_DIR/docker-compose.yml" "$@"
}
