// Exceptions as texts, for functions that C calls.

#pragma once

#include <cstring>
#include <exception>

#include <c10/util/Exception.h>

namespace {

char* copied(const char* text) {
  return strdup(text == nullptr || *text == 0 ? "an exception without a message" : text);
}

// Null when `run` worked, else a message that `free` frees.
template <typename F>
char* caught(F&& run) {
  try {
    run();
    return nullptr;
  } catch (const c10::Error& error) {
    return copied(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return copied(error.what());
  } catch (...) {
    return copied("an exception that is none of C++'s own");
  }
}

} // namespace
