<?php

declare(strict_types=1);

/*
 * The admin pages, all of them: index.php?page=conflicts. Who may come in is said in settings.php beside this file
 * (settings.example.php shows how); without it nobody may.
 */

require __DIR__ . '/src/autoload.php';

(new Cr0Sync\Admin\App(__DIR__))->answer()->send();
