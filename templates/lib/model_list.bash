# The list of models that Claude Code shows for `/model`: its cache file gateway-models.json.
# Copied to build/ by `invoke render`: change it in templates/.

# Writes the list that `/model` shows: models that the server knows and that are on disk. A request loads the one it names.
write_model_list() {
  local i name separator='' list=''
  for ((i = 0; i < ${#MODEL_FILES[@]}; i += 2)); do
    name=${MODEL_FILES[i]}
    [[ $served == *"\"id\":\"$name\""* && -r $MODELS_DIR/${MODEL_FILES[i + 1]} ]] || continue
    list+="$separator{\"id\":\"$name\",\"display_name\":\"$name\"}"
    separator=,
  done
  printf '{"baseUrl":"%s","fetchedAt":%s000,"models":[%s]}\n' "$BASE_URL" "$EPOCHSECONDS" "$list" >"$CLIENT_DIR/cache/gateway-models.json"
}
