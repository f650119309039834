int become(const char *program, char **argv);

int main(int argc, char **argv) {
    (void) argc;
    return become("/usr/bin/llama-server", argv);
}
