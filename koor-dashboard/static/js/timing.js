// Doing things not too often.

/**
 * A function that does the work at once, and then at most every `ms`; calls in between lead to one more at the end. While the
 * work is an unfinished promise, it is not begun again.
 */
export function throttle(work, ms) {
  let timer = 0;
  let busy = false;
  let again = false;
  const run = async () => {
    busy = true;
    try {
      await work();
    } finally {
      busy = false;
      timer = setTimeout(() => {
        timer = 0;
        if (again) {
          again = false;
          run();
        }
      }, ms);
    }
  };
  const call = () => {
    if (busy || timer) again = true;
    else run();
  };
  call.cancel = () => {
    clearTimeout(timer);
    timer = 0;
    again = false;
  };
  return call;
}

/** A function that does the work once it has not been called for `ms`. */
export function debounce(work, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), ms);
  };
}
