// Misbehaves as its argument says, after a proper hello: silent, dies, garbage, deaf (ignores cancel, reports progress for ever), stubborn (ignores
// end of file too).

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>

namespace {

void say(const char* line) {
  std::printf("%s\n", line);
  std::fflush(stdout);
}

[[noreturn]] void sleep_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string manner = argc > 1 ? argv[1] : "";
  if (manner == "old") {
    say(R"({"type":"hello","protocol":0,"app_version":"0.0.1"})");
    sleep_for_ever();
  }
  if (manner == "mute") sleep_for_ever();
  say(R"({"type":"hello","protocol":1,"app_version":"0.1.0"})");
  std::string line;
  std::getline(std::cin, line);
  if (manner == "silent") sleep_for_ever();
  if (manner == "dies") std::raise(SIGKILL);
  if (manner == "garbage") say("this is no JSON");
  if (manner == "deaf") {
    for (int i = 0;; ++i) {
      say(R"({"type":"progress","id":1,"fraction":0.5,"what":"busy"})");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  sleep_for_ever();
}
