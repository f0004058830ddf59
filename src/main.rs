fn main() -> std::process::ExitCode {
    hostler::cli::run()
}
