// The other side of the tests of child processes: base_test_child MODE [ARGUMENT].

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "core/base/platform/platform.h"

namespace {

using phiscope::platform::FileLock;

void say(const std::string& line) { std::cout << line << std::endl; }

int echo(const std::string&) {
  for (std::string line; std::getline(std::cin, line);) say(line);
  return 0;
}

/// Reads nothing and says nothing until it is killed.
int silent(const std::string&) {
  while (true) ::pause();
}

int exit_with(const std::string& status) { return std::atoi(status.c_str()); }

/// Dies by the signal even where a sanitizer's runtime catches it.
int raise_signal(const std::string& number) {
  const int signal = std::atoi(number.c_str());
  say("about to die");
  ::signal(signal, SIG_DFL);
  ::raise(signal);
  return 0;
}

int print_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  say(value == nullptr ? "(none)" : value);
  return 0;
}

int write_stderr(const std::string&) {
  std::cerr << "first\nsecond\nunfinished";
  return 3;
}

/// Many bytes on both streams at once; blocks for ever unless both are read.
int flood(const std::string& lines) {
  for (int i = 0; i < std::atoi(lines.c_str()); ++i) {
    std::cerr << "stderr line " << i << " ................................................................\n";
    std::cout << "stdout line " << i << " ................................................................\n";
  }
  return 0;
}

int count_descriptors(const std::string&) {
  int count = 0;
  for (int descriptor = 0; descriptor < 1024; ++descriptor) count += ::fcntl(descriptor, F_GETFD) >= 0 ? 1 : 0;
  say(std::to_string(count));
  return 0;
}

int process_group(const std::string&) {
  say(::getpgrp() == ::getpid() ? "own" : "shared");
  return 0;
}

int long_line(const std::string& length) {
  say(std::string(static_cast<size_t>(std::atoi(length.c_str())), 'x'));
  return 0;
}

/// Starts a silent grandchild, says its process id, and waits to be killed.
int parent_of_silent(const std::string& program) {
  auto child = phiscope::platform::ChildProcess::start({.arguments = {program, "silent"}, .environment = {}, .on_stderr_line = {}});
  if (!child) return 1;
  say(std::to_string((*child)->process_id()));
  return silent("");
}

int hold_lock(const std::string& path) {
  const auto lock = FileLock::try_lock(path, "the child");
  say(lock ? "locked" : lock.error().message);
  return echo("");
}

/// A library prints where it must not; the protocol line still arrives alone.
int spoil_stdout(const std::string&) {
  const auto descriptor = phiscope::platform::take_stdout();
  if (!descriptor) return 1;
  std::printf("noise of a library\n");
  std::fflush(stdout);
  return phiscope::platform::write_all(*descriptor, "protocol\n") ? 0 : 1;
}

/// Becomes the mode of the argument.
int become(const std::string& mode) {
  say(phiscope::platform::become_program({phiscope::platform::executable_path().string(), mode}).message);
  return 1;
}

volatile sig_atomic_t seen_signal = 0;

/// Sends itself what would end a program without a handler.
int survive_signals(const std::string&) {
  phiscope::platform::install_stop_handler([](int signal) { seen_signal = signal; });
  for (const int number : {SIGPIPE, SIGXFSZ, SIGTERM, SIGINT}) ::raise(number);
  say(seen_signal == SIGINT ? "survived" : "missed");
  return 0;
}

struct Mode {
  const char* name;
  int (*run)(const std::string&);
};

constexpr Mode kModes[] = {
    {"echo", echo},
    {"silent", silent},
    {"exit", exit_with},
    {"signal", raise_signal},
    {"variable", print_variable},
    {"stderr", write_stderr},
    {"flood", flood},
    {"descriptors", count_descriptors},
    {"group", process_group},
    {"long-line", long_line},
    {"parent", parent_of_silent},
    {"lock", hold_lock},
    {"spoil-stdout", spoil_stdout},
    {"become", become},
    {"signals", survive_signals},
};

}  // namespace

int main(int count, char** arguments) {
  for (const Mode& mode : kModes)
    if (count > 1 && std::string(arguments[1]) == mode.name) return mode.run(count > 2 ? arguments[2] : "");
  return 2;
}
