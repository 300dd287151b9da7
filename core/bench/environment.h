#pragma once
// What a run has to say about the machine and the program it ran on.

#include <map>
#include <string>

namespace phiscope::bench {

/// Facts that hold for the whole program: machine, build. Keys as in core/record's Run::environment.
std::map<std::string, std::string> probe_environment();
/// Adds "load.<when>.*": load average, steal, frequency, temperature.
void add_load(std::map<std::string, std::string>& environment, const std::string& when);

}  // namespace phiscope::bench
