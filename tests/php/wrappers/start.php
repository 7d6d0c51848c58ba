<?php

declare(strict_types=1);

/*
 * What the tests of the scripts begin with: the classes of the scripts, and the small infrastructures that the tests of
 * the extension use.
 */

require_once __DIR__ . '/../../../php/src/autoload.php';
require_once __DIR__ . '/../../../php/tests/playground.inc';
require_once __DIR__ . '/../../../php/tests/logs.inc';
require_once __DIR__ . '/../../../php/tests/integrity.inc';
require_once __DIR__ . '/Said.php';
require_once __DIR__ . '/Scripts.php';
